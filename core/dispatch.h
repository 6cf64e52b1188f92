/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline from request to response, in the order of section 01-2.
 *
 * decode path -> end of service -> readonly -> query string -> route ->
 * method, Accept, Content-Type -> view (context, authorization, validation,
 * logic) -> events -> commit -> render -> headers, log line.
 */
#ifndef CLQ_DISPATCH_H
#define CLQ_DISPATCH_H

#include "request.h"

/*
 * Answer req: afterwards req->response is complete, always. In a worker. A
 * request that lost a race (CLQ_RETRY) is run again, a bounded number of
 * times, with a fresh transaction.
 */
CLQ_API void clq_dispatch(struct clq_request *req);

/*
 * The same for a sub-request of a batch, inside the batch's transaction (with
 * a savepoint) and without a commit. Its response is complete only after
 * clq_subrequest_render(), which is called once writes are known.
 * CLQ_OK, also for an embedded error; CLQ_RETRY, CLQ_UNAVAILABLE or CLQ_FAILED
 * when the whole batch must fail.
 */
enum clq_status clq_subrequest_run(struct clq_request *req) CLQ_MUST_CHECK;
void clq_subrequest_render(struct clq_request *req);

#endif
