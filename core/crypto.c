/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes, codes and random texts over libsodium.
 *
 * getrandom() is a system call for each number, and an id has a dozen of them;
 * so they are drawn from a pool, which is wiped as it is used and is empty in a
 * process that was forked. libsodium is initialised at the first use; a failure
 * means that the kernel has no random source, and nothing safe can be done
 * then.
 */
#include <cliquet/crypto.h>

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char pool[1024];
static size_t pooled;		/* bytes at the beginning of the pool */

/* A child must not draw what its parent draws. */
static void
empty_pool(void)
{
	sodium_memzero(pool, sizeof pool);
	pooled = 0;
}

static void
sodium_ready(void)
{
	static bool ready;

	if (ready)
		return;
	if (sodium_init() == -1) {
		fputs("cliquet: libsodium does not start\n", stderr);
		abort();
	}
	if (pthread_atfork(NULL, NULL, empty_pool) != 0) {
		fputs("cliquet: no memory for a handler of forks\n", stderr);
		abort();
	}
	ready = true;
}

static void
draw(void *out, size_t n)
{
	sodium_ready();
	if (n > sizeof pool) {
		randombytes_buf(out, n);
		return;
	}
	if (n > pooled) {
		randombytes_buf(pool, sizeof pool);
		pooled = sizeof pool;
	}
	pooled -= n;
	memcpy(out, pool + pooled, n);
	sodium_memzero(pool + pooled, n);
}

/* Those below the rest of 2^32 / below would be more frequent than others. */
static uint32_t
draw_below(uint32_t below)
{
	uint32_t least, n;

	if (below < 2)
		return 0;
	least = (uint32_t)(-below) % below;
	do
		draw(&n, sizeof n);
	while (n < least);
	return n % below;
}

/* Never NULL, also for the absent slice: libsodium wants an address. */
static const unsigned char *
bytes(struct clq_str s)
{
	return (const unsigned char *)(s.p != NULL ? s.p : "");
}

static struct clq_str
hex(struct clq_arena *arena, const unsigned char *bin, size_t n)
{
	size_t cap = n * 2 + 1;
	char *p = clq_arena_alloc(arena, cap);

	sodium_bin2hex(p, cap, bin, n);
	return (struct clq_str){ p, n * 2 };
}

/* The state after the key, which is half of the work for a short message. It
 * is kept for the last key: most of a server's calls have the same one. */
static void
hmac_begin(crypto_auth_hmacsha256_state *state, struct clq_str key)
{
	static struct {
		unsigned char			 key[128];
		size_t				 len;
		crypto_auth_hmacsha256_state	 state;
	} last;

	if (key.len == 0 || key.len > sizeof last.key) {
		crypto_auth_hmacsha256_init(state, bytes(key), key.len);
		return;
	}
	if (last.len != key.len ||
	    sodium_memcmp(last.key, key.p, key.len) != 0) {
		crypto_auth_hmacsha256_init(&last.state, bytes(key), key.len);
		memcpy(last.key, key.p, key.len);
		last.len = key.len;
	}
	*state = last.state;
}

struct clq_str
clq_hmac_hex(struct clq_arena *arena, struct clq_str key,
    struct clq_str message)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	struct clq_str out;

	sodium_ready();
	hmac_begin(&state, key);
	crypto_auth_hmacsha256_update(&state, bytes(message), message.len);
	crypto_auth_hmacsha256_final(&state, mac);
	out = hex(arena, mac, sizeof mac);
	sodium_memzero(&state, sizeof state);
	sodium_memzero(mac, sizeof mac);
	return out;
}

struct clq_str
clq_sha256_hex(struct clq_arena *arena, struct clq_str data)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	sodium_ready();
	crypto_hash_sha256(hash, bytes(data), data.len);
	return hex(arena, hash, sizeof hash);
}

struct clq_sha256 {
	crypto_hash_sha256_state	state;
};

struct clq_sha256 *
clq_sha256_new(struct clq_arena *arena)
{
	struct clq_sha256 *h = clq_arena_alloc(arena, sizeof *h);

	sodium_ready();
	crypto_hash_sha256_init(&h->state);
	return h;
}

void
clq_sha256_add(struct clq_sha256 *h, const void *p, size_t n)
{
	crypto_hash_sha256_update(&h->state, p, n);
}

struct clq_str
clq_sha256_end(struct clq_sha256 *h, struct clq_arena *arena)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&h->state, hash);
	return hex(arena, hash, sizeof hash);
}

struct clq_str
clq_base64_encode(struct clq_arena *arena, struct clq_str data)
{
	size_t cap;
	char *p;

	sodium_ready();
	cap = sodium_base64_encoded_len(data.len,
	    sodium_base64_VARIANT_ORIGINAL);
	p = clq_arena_alloc(arena, cap);
	sodium_bin2base64(p, cap, bytes(data), data.len,
	    sodium_base64_VARIANT_ORIGINAL);
	return (struct clq_str){ p, cap - 1 };
}

struct clq_str
clq_hex_base64(struct clq_arena *arena, struct clq_str digits)
{
	unsigned char *p = clq_arena_alloc(arena, digits.len / 2 + 1);
	size_t n = 0;

	sodium_ready();
	(void)sodium_hex2bin(p, digits.len / 2, (const char *)bytes(digits),
	    digits.len, NULL, &n, NULL);
	return clq_base64_encode(arena, (struct clq_str){ (char *)p, n });
}

enum clq_status
clq_base64_decode(struct clq_arena *arena, struct clq_str text,
    struct clq_str *out)
{
	size_t len = text.len, cap = text.len / 4 * 3 + 3, n;
	unsigned char *p;

	sodium_ready();
	/* padding is right only where it completes a group of four */
	if (len > 0 && len % 4 == 0 && text.p[len - 1] == '=') {
		len--;
		if (text.p[len - 1] == '=')
			len--;
	}
	p = clq_arena_alloc(arena, cap);
	if (sodium_base642bin(p, cap, (const char *)bytes(text), len, NULL,
	    &n, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
		return CLQ_INVALID;
	out->p = (const char *)p;
	out->len = n;
	return CLQ_OK;
}

struct clq_str
clq_random_hex(struct clq_arena *arena, size_t n)
{
	unsigned char *bin = clq_arena_alloc(arena, n);

	draw(bin, n);
	return hex(arena, bin, n);
}

struct clq_str
clq_random_text(struct clq_arena *arena, size_t n, const char *set,
    size_t nset)
{
	char *p = clq_arena_alloc(arena, n + 1);
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = set[draw_below((uint32_t)nset)];
	return (struct clq_str){ p, n };
}

uint32_t
clq_random_below(uint32_t below)
{
	return draw_below(below);
}

struct clq_str
clq_uuid4(struct clq_arena *arena)
{
	unsigned char b[16];
	struct clq_str h;

	draw(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);	/* version 4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);	/* RFC 4122 variant */
	h = hex(arena, b, sizeof b);
	return clq_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", h.p,
	    h.p + 8, h.p + 12, h.p + 16, h.p + 20);
}

bool
clq_equal_secret(struct clq_str a, struct clq_str b)
{
	return a.len == b.len &&
	    sodium_memcmp(bytes(a), bytes(b), a.len) == 0;
}
