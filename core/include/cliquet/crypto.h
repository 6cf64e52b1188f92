/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few primitives the protocol needs, over libsodium: SHA-256, HMAC,
 * base64, random ids, comparison in constant time.
 */
#ifndef CLQ_CRYPTO_H
#define CLQ_CRYPTO_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lower-case hex of HMAC-SHA256, 64 characters (section 06-2.1). */
CLQ_API struct clq_str clq_hmac_hex(struct clq_arena *arena,
    struct clq_str key, struct clq_str message);

/* Lower-case hex of SHA-256, 64 characters. */
CLQ_API struct clq_str clq_sha256_hex(struct clq_arena *arena,
    struct clq_str data);

/* The same for data that comes in pieces. In the arena. */
struct clq_sha256;
CLQ_API struct clq_sha256 *clq_sha256_new(struct clq_arena *arena);
CLQ_API void clq_sha256_add(struct clq_sha256 *h, const void *p, size_t n);
CLQ_API struct clq_str clq_sha256_end(struct clq_sha256 *h,
    struct clq_arena *arena);

/* What hex digits such as these stand for, in base64. Since 1.10. */
CLQ_API struct clq_str clq_hex_base64(struct clq_arena *arena,
    struct clq_str hex);

/* Standard alphabet with padding. */
CLQ_API struct clq_str clq_base64_encode(struct clq_arena *arena,
    struct clq_str data);

/*
 * Standard alphabet; padding optional. CLQ_INVALID on any other character.
 * The result may hold any byte.
 */
CLQ_API enum clq_status clq_base64_decode(struct clq_arena *arena,
    struct clq_str text, struct clq_str *out) CLQ_MUST_CHECK;

/* n random bytes as 2 * n lower-case hex digits. */
CLQ_API struct clq_str clq_random_hex(struct clq_arena *arena, size_t n);

/* n random characters out of the set of nset characters. */
CLQ_API struct clq_str clq_random_text(struct clq_arena *arena, size_t n,
    const char *set, size_t nset);

/* A random number in [0, below). */
CLQ_API uint32_t clq_random_below(uint32_t below);

/* A random UUID, version 4, lower case. */
CLQ_API struct clq_str clq_uuid4(struct clq_arena *arena);

/* Equal, in a time that depends on the lengths only. */
CLQ_API bool clq_equal_secret(struct clq_str a, struct clq_str b);

#ifdef __cplusplus
}
#endif
#endif
