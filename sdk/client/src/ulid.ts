/** Crockford's base 32: no I, L, O, U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_CHARACTERS = 10
const RANDOM_CHARACTERS = 16
const LATEST = 2 ** 48 - 1

/**
 * A new id of 26 characters (https://github.com/ulid/spec): 48 bits of time, then 80 random bits. Ids of different
 * milliseconds sort by time, those of one millisecond do not.
 * @param now Unix milliseconds
 * @param random from 0 to 1, asked 16 times
 * @throws RangeError for a time before 1970 or after the year 10889
 */
export function ulid (now: number, random: () => number): string {
  if (!(now >= 0 && now <= LATEST)) throw new RangeError(`${now} is no time for a ULID: give Unix milliseconds`)
  let id = ''
  let rest = Math.floor(now)
  for (let count = 0; count < TIME_CHARACTERS; count++) {
    id = alphabet[rest % 32] + id
    rest = Math.floor(rest / 32)
  }
  // The bit mask is for a `random` that gives 1 itself.
  for (let count = 0; count < RANDOM_CHARACTERS; count++) id += alphabet[Math.floor(random() * 32) & 31]
  return id
}
