/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, and tokens signed with them by openssl, for test_app_openid.c. */
#ifndef OPENID_TOKENS_H
#define OPENID_TOKENS_H

#define KEY0 \
	"{\"kty\":\"RSA\",\"kid\":\"good\",\"use\":\"sig\",\"alg\":\"RS256" \
	"\",\"n\":\"v9qpgbBtZWGkad3v-VSZsajNpzs224b-lYYOlXlq0GX" \
	"5n_Iq32sPHMiyGYHCRbID7tjFwgYpoWpQCbYgLe4nmIIkPodKa" \
	"YUnMpwdxS5R2QaDfvrS6_3Q04WvsxNOz0xph_A-qj_V6jBrDvl" \
	"ilmNO4MLrZShJa5l3U1bhfzDnB_t2BKipK-8ZO-okj0kud20DB" \
	"M4dYse3TQ1yZPk745G5bQXNCqgH4jZMG7Si-whiMxjkQnnqSgh" \
	"apakcWKQwo5HH8yJhwYE4YxJRfmF9pwua21SJCsSGNMFNazdWf" \
	"xVlkBZb9ZomB1r5q8pTiMiwI0mlouV8gKvG57RTq-7qWhhpMw\"" \
	",\"e\":\"AQAB\"}"
#define KEY1 \
	"{\"kty\":\"RSA\",\"kid\":\"short\",\"use\":\"sig\",\"alg\":\"RS25" \
	"6\",\"n\":\"x_Dxi_36xWkX5k54udioNrSoijxY9KpT15yBR0fFRH" \
	"-vpspTZLbnUIwRTXse5oy_AZMVb5tJmGSmejCEnnrhnie9jOu_" \
	"fTWyKWke2fD_tCLbP1EmAkhzSGUiKAY58fw-6ZJhicMELTd6Jp" \
	"J7foMixAWuWEw4JGLMKh5gYkFtUak\",\"e\":\"AQAB\"}"
#define KEY2 \
	"{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-256\",\"x\":\"JLCWkVGl" \
	"x8aKf1-GJsog6Zd34kg1DkGa4KW604dxBgI\",\"y\":\"p-TytfHy" \
	"beTRrFZ4TS7eQLeqadgi0W1hms8AxZl_UHk\"}"
#define RS256 \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZ29vZCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiLCA" \
	"iYXVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDAwM" \
	"DAwMDAwfQ.N72PBaT_lOT8ibBeRZMKldMmvPZ7n352DJhj8t2y" \
	"g0UL1xSS3RmiNZUDE69nU4HhMxhsi3-4OkJqqS5Y2fwLRWpecB" \
	"Buuk3EdxPS8JAwuIjrVlp28H_AbpKmSYZVmbtfVhnYCD87NjRP" \
	"Dv2QZKJJF5JO-uBfNzKlsKyK3B1hyKnKhmXXYK3YHJcwa6CKk3" \
	"lCjBYHnDKMauMOZ4cnYZ6e4p7-ABVtoeOXDIbBnejcq5D4ZJJs" \
	"a-ZLPICVE0Os4EFdJKwac--bIUU6rKaWGG0iSNo6tSabyp9-z0" \
	"0QMVnO9aozTck0rYp6b-ToRG-0vLRwhc8pZhQWmZBnNOC8TAm4" \
	"cA"
#define OTHER \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZ29vZCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiLCA" \
	"iYXVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDAwM" \
	"DAwMDAwfQ.stAq39oC2fG8ERE6AMoEo0lWTasAFgXaB1hTbjTY" \
	"GnTyrIe6bLiB-qTCH3w8o4dr92VhLz_tcob-AvoRSFggfqXvUI" \
	"OTUkpkQeyLx63hJoj3A5wMSNGMi5kTih3G-s1XBGz-z451MHob" \
	"ebmugAwEH330OlDnw19Y0MnLd3___9QvhYlh5AZx-mjxRhurkG" \
	"bgzS3W-8DbZCsLAfIu9CxEf-66liBsF9Bf3CtMNv3brTw-R7qP" \
	"BYffv6mqGdhu2IeBFvnY09drQTTxef38jlC04wYIV4Q8FF4mQM" \
	"fAi9tW3nBIgm4_BLbrO_PYwmav9C_X5rt2M9DgehzbMP1gQRVx" \
	"Gw"
#define UNKNOWN \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"Aib3RoZXIifQ.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiL" \
	"CAiYXVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDA" \
	"wMDAwMDAwfQ.mKSTdK3Hc0XzFCPRYl6mxfvgC2Et7ZQtuGiR_I" \
	"zTXF_IvAIozn_97sTlHKCNEJrIvO8FKFpknc5K6TnbexXYxKSv" \
	"aMbiTKaIdToB42SNa4bnXorjJd2H293irryZXHCt5sH_8NBZ9R" \
	"iNmzEkwu1laSwstKVgtQ__i4v3UL57F2SK1_rvt9xxQm-_hrnx" \
	"wZk-EvZzMfkPHhUmbTJ91qA6VwtS17GNpfhvljzPGujvrnh31p" \
	"f3XtLSja_kNTKtKjsJ6JFB4u8h4npxiREqNmOmGrII-QXvCELE" \
	"AgJBieWfPw5-q8B8vCMbV_iS6Fx5drxnhbNwn3lD_dgKguUfn3" \
	"fkXQ"
#define SHORT \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"Aic2hvcnQifQ.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiL" \
	"CAiYXVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDA" \
	"wMDAwMDAwfQ.PDVDiaDuCQ4Mcx-0L4jenJHtpAryMkHk7WX6gw" \
	"dN074UsxjS020yFXkFQbCS_OXoR4SXyokrccffRZV9vwWXl1LH" \
	"XpU1VYS2H6ogYjUH58gkr0ndszOnzXVWkWxc0hEqb6JX2WUEmU" \
	"vi9i4L5Byssoj9hY5u4Upm_6bvVINFeeU"
#define ES256 \
	"eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZWMifQ.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiLCAiY" \
	"XVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDAwMDA" \
	"wMDAwfQ.aasE_n9oS1RMrCUDCV3GqvLdfJ-46VvyZhfVErqAJz" \
	"bWCCA2Wb-9bWIfQmrhN1aMo-WJEnjhyxEyBOEYPB-iig"
#define NOKID \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiO" \
	"iAiaHR0cHM6Ly9pLmV4YW1wbGUiLCAiYXVkIjogImFwaSIsICJ" \
	"zdWIiOiAidSIsICJleHAiOiAyMDAwMDAwMDAwfQ.oUk_8MWokx" \
	"SMH5d9AQAxwr6DelwC0TSObH20QHcu3uoQb6ZNYVoEwg6w4uwK" \
	"ab3ohSL58L5u-kNx-Jf4SSgiTeQc3OmLa4Kn21SvF1WRIqUHss" \
	"6buNYxfBPKpm7rfje9dZ9_Eke7cpoF5xchkFq09czaswhRdilO" \
	"MehEmurborLp9ugL5eI-MxVqD5N5JCXtJrqO7cnLevkoiiGh0J" \
	"MRngcnMoR90auf7n2HdEyngo7DoILJJ8j5GcMk6qS5BzLt1DzC" \
	"K0WTGEAq8FJJyjpkJAi8lcbPa5kjlAaDQK6sahJPO0Qn0fn6Ho" \
	"qv7NQGiQzrX9GuWH7R03p83GSFW8bTIw"
#define HS256 \
	"eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZ29vZCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiLCA" \
	"iYXVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDAwM" \
	"DAwMDAwfQ.qq-njSRMsdwHmtVeccYob87tgNYtUZyqa1qk3Gg7" \
	"TCDvb1WL37jMHM4qZgfRoMbQ9hR8XLAZ39gDNKGSCvvUt31igL" \
	"ONXYX-nDezZ3_YImDT1YPcIKvstrBF1VhpyK02_vvBCcPcm_xu" \
	"fbpzgVWNqScgEMzKoayiVY7Y2PhkRSGHzjhlgyCJigz7B1wBLk" \
	"IfdPy4hwk_RQAp6dy4okzel9Lx2I4YjBYb4Djt97XmJU0lIp6E" \
	"kY5vPDlAmjmmir6X5QDJIRTZ9Bihf_dMVLTsR-UlzL-0MW34pr" \
	"1jChUfB24Ltgc-BHghzwBIAVyqYhH8GR2-xhUPlbLCbOC6ZINH" \
	"dA"
#define RS_AS_EC \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZWMifQ.eyJpc3MiOiAiaHR0cHM6Ly9pLmV4YW1wbGUiLCAiY" \
	"XVkIjogImFwaSIsICJzdWIiOiAidSIsICJleHAiOiAyMDAwMDA" \
	"wMDAwfQ.HKfsXNv2bugHN5JMWlqWmJapTpjVsFhSitlgh3gguX" \
	"mB4um33ONuw_oFXjo0_OLWVTjxsEB9rH3-crrT3lBenD4_g3yD" \
	"5QIVgew0jzkx_HK7bxCvOtaXZwkrCjaQ2cxtkgGkJjBYRXAeQe" \
	"z8XtNuBW27vxvbqac7S9MePUg20l9SvahfFplqeSxX5sVpA_fv" \
	"QiWvfRvYd9yM_vbt-FuZamay0ivtQ2IaQUco2DxzpjmykXdN4U" \
	"SL9xU1ZWfwbvYDJl25NwgKnFEJJ4v8w0dohfhkmXoDSzBcQVGC" \
	"VmEoMehATQgOIP21tEeywGU4275IaFPTlzCsvrkJgvsJt7rJPQ"
#define CLAIMS_LIST \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOi" \
	"AiZ29vZCJ9.WyJ4Il0.pTW7xOzqxgEMZN--CdM5KdykEal0ZLW" \
	"2NWIdj7sWgMtURyN1YlVUZHzdP5dUYIDn2-oQR8atQGdLxlCNM" \
	"p_IWkUz30GOFs_mWrSjkYzW6RBcyILglgAEYhwHxP2CvdtSOVH" \
	"JCOeH7GiZVwa4SpsmOf-9Z294iSryPsGYGpD1afSUIMC4k_99f" \
	"eXknrcqpOVYiRDWuk5xWZc6dDz-I0k0XR-Vs0fsuE1Z51r_Nsm" \
	"w5ZZdtiri8aRZNSjT6Ln_41oznmlvSsA6XfvpEMh5-bwnWw13Q" \
	"e-MAWqFvGLVrUNnyHs_XO-E8RbD_ug5ncm-nYsbvT06ngKS3Dd" \
	"1AtqzICkuPQ"

#endif
