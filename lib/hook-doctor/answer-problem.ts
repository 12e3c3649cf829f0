import type { Problem } from './finding.js'
import type { Answer, Exchange } from './hook-probe.js'
import { networkProblem } from './network-problem.js'

/** Characters of an error's text that are shown. */
const MAX_EXCERPT = 160

const HOW_TO_ENCODE = 'answer with the bytes of the protobuf message, and nothing around them'

/** Why the gateway could not use an exchange whatever its message, or undefined where it is 2xx and may be decoded. */
export async function exchangeProblem (exchange: Exchange): Promise<Problem | undefined> {
  const { answer } = exchange
  return answer === undefined ? await networkProblem(exchange) : answerProblem(exchange, answer)
}

/** The message in an answer, or why there is none. `decode` throws, or returns undefined, where it is not one. */
export async function decodeExchange<T> (
  exchange: Exchange, messageName: string, decode: (body: Buffer) => T | undefined
): Promise<{ value: T, problem?: undefined } | { value?: undefined, problem: Problem }> {
  const problem = await exchangeProblem(exchange)
  if (problem !== undefined) return { problem }
  const body = exchange.answer?.body ?? Buffer.alloc(0)
  try {
    const value = decode(body)
    if (value !== undefined) return { value }
  } catch {
    // Said below: what protobuf libraries say of broken bytes helps nobody.
  }
  const isText = /^[\t\n\r\x20-\x7e]+$/.test(body.toString('latin1'))
  return {
    problem: {
      seen: `the answer, of ${body.length} bytes, is not a ${messageName}${isText ? '; it is plain text' : ''}`,
      advice: isText && /^[A-Za-z0-9+/=\s_-]+$/.test(body.toString('latin1'))
        ? `it may be Base64 or hex: ${HOW_TO_ENCODE}`
        : `${HOW_TO_ENCODE}; compare the field numbers and types with hook.proto, and see that ids are UTF-8`,
    },
  }
}

function answerProblem ({ url, isSigned, operation }: Exchange, answer: Answer): Problem | undefined {
  const { status, headers, body, isTooLarge } = answer
  if (status >= 200 && status <= 299) {
    if (isTooLarge) return { seen: 'the answer is larger than the gateway takes', advice: 'answer with less: return fewer messages a page' }
    const looks = looksLike(answer)
    if (looks === undefined) return undefined
    return {
      seen: `HTTP status ${status} with ${looks}`,
      advice: looks === 'JSON'
        ? `${HOW_TO_ENCODE}: binary protobuf, not its JSON form`
        : `is ${new URL(url).host} the hook server? The page may be that of a proxy, of a login, or of a website's index`,
    }
  }
  const says = excerpt(answer)
  const seen = `HTTP status ${status}${says === '' ? '' : `: ${says}`}`
  if (status >= 300 && status <= 399) {
    const location = String(headers.location ?? '')
    return { seen: `HTTP status ${status}, a redirect${location === '' ? '' : ` to ${location}`}`, advice: redirectAdvice(url, location) }
  }
  switch (status) {
    case 400:
      if (/plain HTTP request was sent to HTTPS port/i.test(body.toString('latin1'))) {
        return { seen: 'the server speaks TLS, and the URL says http://', advice: 'use https:// in the URL' }
      }
      return { seen, advice: 'the server could not read a good request: decode the raw body of the POST as the protobuf message in hook.proto' }
    case 401:
    case 403:
      return {
        seen,
        advice: isSigned
          ? 'the server refuses a good signature: compare the secret at both ends and the clocks, and verify over the raw bytes of the body, before any framework decodes them'
          : 'the call was not signed: give the secret with --secret-file; if the server wants another login, hooks cannot give one',
      }
    case 404:
      return {
        seen: `HTTP status 404 for POST ${url}`,
        advice: new URL(url).pathname.endsWith(`/${operation}/${operation}`)
          ? `leave /${operation} out of the base URL: the gateway appends it`
          : `serve POST …/${operation} there; if the hooks are under another path, that path belongs to the base URL, as in https://host/hooks`,
      }
    case 405:
      return { seen: `HTTP status 405 for POST ${url}`, advice: 'let the route take POST' }
    case 408:
    case 502:
    case 503:
    case 504:
      return { seen, advice: 'that is what a proxy says when the server behind it is down, starting or slow' }
    case 413:
      return { seen, advice: 'raise the limit on the body: the gateway sends messages of up to MAX_MESSAGE_BYTES (1 MiB), and up to 64 KiB around them; nginx: client_max_body_size 2m' }
    case 415:
      return { seen, advice: 'take bodies of content type application/protobuf' }
    case 429:
      return { seen, advice: 'let the gateway through the rate limit: its calls come from few addresses' }
    default:
      return { seen, advice: status >= 500 ? 'see the server\'s log' : 'answer with a status of 2xx: any other is a failure to the gateway, and opens its breaker' }
  }
}

/** What no message of hooks begins with. */
function looksLike ({ headers, body }: Answer): 'an HTML page' | 'JSON' | undefined {
  const type = String(headers['content-type'] ?? '')
  const [first] = body
  if (first === 0x3c || (/html/i.test(type) && body.length > 0 && !type.includes('protobuf') && isPrintable(body))) return 'an HTML page'
  if (first === 0x7b || first === 0x5b) return 'JSON'
  return undefined
}

function isPrintable (body: Buffer): boolean {
  return /^[\t\n\r\x20-\x7e]*$/.test(body.toString('latin1', 0, 256))
}

/** What an error says of itself, where it is text. */
function excerpt ({ headers, body }: Answer): string {
  const type = String(headers['content-type'] ?? '')
  if (!/json|text\/plain|problem/i.test(type)) return ''
  const text = body.toString('utf8', 0, MAX_EXCERPT * 4).replace(/\s+/g, ' ').trim()
  return text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text
}

function redirectAdvice (url: string, location: string): string {
  const target = URL.canParse(location, url) ? new URL(location, url) : undefined
  const from = new URL(url)
  if (target !== undefined && target.protocol === 'https:' && from.protocol === 'http:') {
    return 'redirects are not followed: begin the URL with https://'
  }
  if (target !== undefined && target.host === from.host && target.pathname === `${from.pathname}/`) {
    return 'redirects are not followed: serve the path without a slash at its end'
  }
  return 'redirects are not followed: give the gateway the URL that it leads to; if it leads to a login, let hooks through without'
}
