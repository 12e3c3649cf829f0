/**
 * Tenant ids are any text of the operator's choice: what needs a smaller alphabet, such as a topic name, encodes them.
 * Control characters are a mistake in any id, and so is space around it; the length bounds labels and keys.
 */
export const tenantIdPattern = '^(?!\\s)[^\\p{Cc}]{1,128}(?<!\\s)$'

/** Completes "a tenant id takes ...". */
export const tenantIdTakes = '1 to 128 characters, no control characters, no space at either end'
