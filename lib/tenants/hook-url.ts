const longestUrl = 2048

/**
 * What is wrong with a hook's base URL, or undefined where nothing is. A path is fine, with or without a slash at
 * its end. The text never repeats the URL: credentials may be what is wrong with it.
 */
export function checkHookUrl (url: string): string | undefined {
  if (url.length > longestUrl) return `is longer than ${longestUrl} characters`
  // The URL parser drops some of these silently, and what is called is then not what was written.
  // eslint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f]/.test(url)) return 'contains a space or a control character'
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined) return 'is not a URL'
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return 'does not begin with http:// or https://'
  if (!/^https?:\/\//i.test(url)) return 'needs two slashes after http: or https:'
  if (parsed.username !== '' || parsed.password !== '') return 'contains a user name or a password; calls are signed instead'
  if (url.includes('#')) return 'contains a fragment (#)'
  if (url.includes('?')) return 'contains a query (?)'
  return undefined
}
