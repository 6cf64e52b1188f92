/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name server that does not answer, for LD_PRELOAD: looking up a name takes
 * until there is a file CLQ_TEST_DNS_FILE and then gives 127.0.0.1; addresses
 * stay what they are.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

typedef int getaddrinfo_f(const char *, const char *,
    const struct addrinfo *, struct addrinfo **);

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	getaddrinfo_f *real = (getaddrinfo_f *)dlsym(RTLD_NEXT,
	    "getaddrinfo");
	const char *file = getenv("CLQ_TEST_DNS_FILE");

	if (hints == NULL || (hints->ai_flags & AI_NUMERICHOST) != 0 ||
	    file == NULL)
		return real(node, service, hints, out);
	while (access(file, F_OK) != 0)
		(void)usleep(20000);
	return real("127.0.0.1", service, hints, out);
}
