// Lets this package declare functions without a body (see mask_test.go).
