/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application in C++17, with nothing but the installed headers: a service
 * with inputs, and a resource whose hook throws and catches.
 *
 *	GET /double/{n}		{"double": 2n}
 *	/leaves			a resource; no `colour` but "green" and "red"
 */
#include <cliquet/cliquet.h>

#include <stdexcept>
#include <string>

namespace {

clq_status
twice(clq_request *req, void *)
{
	int64_t n = 0;

	if (!clq_json_int(clq_json_get(clq_request_inputs(req, CLQ_IN_PATH),
	    "n"), &n))
		return clq_fail(req, CLQ_ERRNO_UNDEFINED, nullptr);
	return clq_reply(req, 200, clq_arena_printf(clq_request_arena(req),
	    "{\"double\":%lld}", static_cast<long long>(2 * n)));
}

void
check_colour(const std::string &colour)
{
	if (colour != "green" && colour != "red")
		throw std::invalid_argument(colour + " leaves do not exist");
}

/* No exception may leave a hook. */
clq_status
process(clq_request *req, clq_draft *draft)
{
	clq_str colour = clq_json_str(clq_json_get(draft->data, "colour"));

	try {
		check_colour(std::string(colour.p, colour.len));
	} catch (const std::invalid_argument &e) {
		return clq_invalid(req, "body", CLQ_STR("data.colour"), "%s",
		    e.what());
	}
	return CLQ_OK;
}

const clq_input inputs[] = {
	{ CLQ_IN_PATH, { "n", CLQ_FIELD_INT, 0, nullptr, 0, 1000 }, 0,
	    nullptr },
};
const clq_verb verbs[] = { { CLQ_METHOD_GET, twice, CLQ_TX_READ } };
const clq_field fields[] = {
	{ "colour", CLQ_FIELD_STRING, CLQ_REQUIRED, nullptr, 0, 0 },
};

clq_status
setup(clq_server *srv)
{
	static clq_service service{};
	static clq_resource leaf{};

	service.size = sizeof service;
	service.name = "double";
	service.path = "/double/{n}";
	service.verbs = verbs;
	service.nverbs = CLQ_COUNT(verbs);
	service.flags = CLQ_SERVICE_NO_TX;
	service.inputs = inputs;
	service.ninputs = CLQ_COUNT(inputs);
	leaf.size = sizeof leaf;
	leaf.name = "leaf";
	leaf.plural_path = "/leaves";
	leaf.flags = CLQ_RESOURCE_USER;
	leaf.fields = fields;
	leaf.nfields = CLQ_COUNT(fields);
	leaf.process = process;
	clq_status rc = clq_add_service(srv, &service);
	return rc == CLQ_OK ? clq_add_resource(srv, &leaf) : rc;
}

const clq_app_ops app = { sizeof app, setup };

} /* namespace */

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "plus", .version = "1", .app = &app,
};
