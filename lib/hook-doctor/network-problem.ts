import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Problem } from './finding.js'
import type { Exchange } from './hook-probe.js'

/** Milliseconds to find out whether a port speaks TLS. */
const TLS_TRIAL_MS = 1000

const CERTIFICATE_CODES = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE',
])

/** Why there was no answer, by the name of the error, and what to do about it. */
export async function networkProblem ({ error, url, ms }: Exchange): Promise<Problem> {
  const { protocol, hostname, port } = new URL(url)
  const where = `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`
  const code = codeOf(error)
  const text = error?.message || String(error)
  if (error?.name === 'TimeoutError' || error?.name === 'AbortError') {
    return {
      seen: `${url} did not answer within ${Math.round(ms)} ms`,
      advice: 'the gateway gives up after 150 ms: see whether the server hangs, waits for something slow, or never ends its response',
    }
  }
  if (CERTIFICATE_CODES.has(code)) {
    return {
      seen: `the certificate of ${where} is not trusted (${code})`,
      advice: 'serve the whole chain, intermediate certificates too; where the CA is your own, give it to the gateway, and to this command, with NODE_EXTRA_CA_CERTS',
    }
  }
  switch (code) {
    case 'ENOTFOUND':
      return { seen: `no address is known for ${hostname} (ENOTFOUND)`, advice: 'correct the host name, or its DNS record; the gateway must be able to resolve it where it runs' }
    case 'EAI_AGAIN':
      return { seen: `the name server does not answer for ${hostname} (EAI_AGAIN)`, advice: 'see whether DNS works on this machine, and try again' }
    case 'ECONNREFUSED':
      return { seen: `${where} refuses the connection (ECONNREFUSED)`, advice: refusedAdvice(hostname) }
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return { seen: `no connection to ${where} (${code})`, advice: 'a firewall or a security group may drop the packets: let the gateway reach this port' }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return { seen: `there is no way to ${where} (${code})`, advice: 'correct the address, or the routes and networks between the two' }
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return { seen: `the certificate of ${where} is not valid now (${code})`, advice: 'renew it; if it is new, see whether the clocks are right' }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return { seen: `the certificate of ${where} is for another name (${code})`, advice: 'use the name in the certificate as host of the URL, or get a certificate for this one' }
    default:
  }
  if (protocol === 'https:' && (code.startsWith('ERR_SSL_') || code === 'EPROTO')) {
    return { seen: `${where} does not speak TLS (${code})`, advice: 'if the server speaks plain HTTP on this port, the URL begins with http://' }
  }
  if (protocol === 'http:' && await speaksTls(hostname, Number(port || 80))) {
    return { seen: `${where} speaks TLS, and the URL says http://`, advice: 'use https:// in the URL' }
  }
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE') {
    return { seen: `${where} closed the connection without an answer (${code})`, advice: 'see the server\'s log: it crashed, or a proxy in front of it gave up' }
  }
  if (code.startsWith('HPE_')) {
    return { seen: `${where} does not answer in HTTP/1.1 (${code})`, advice: 'see what listens on this port; HTTP/2 alone, and gRPC, are not understood' }
  }
  return { seen: `no answer from ${where}: ${code === '' ? text : `${text} (${code})`}`, advice: 'see the server\'s log' }
}

/** Whether a server may close a connection so while a body that is too large is still being sent. */
export function isClosedConnection ({ error }: Exchange): boolean {
  return ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ECONNABORTED'].includes(codeOf(error))
}

function codeOf (error: Error | undefined): string {
  const { code, cause } = (error ?? {}) as { code?: string, cause?: { code?: string } }
  return code ?? cause?.code ?? ''
}

function refusedAdvice (hostname: string): string {
  const isHere = hostname === 'localhost' || hostname.startsWith('127.') || hostname === '[::1]'
  const advice = 'start the server, and compare its port and the address that it listens on'
  return isHere ? `${advice}; inside a container, ${hostname} is the container itself` : `${advice}: one on 127.0.0.1 is not reached from outside`
}

/** Whether a TLS server answers there, whoever's certificate it has. */
async function speaksTls (hostname: string, port: number): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '')
  return await new Promise(resolve => {
    // Only to know what is spoken: nothing is sent.
    const socket = connectTls({
      host, port, servername: isIP(host) === 0 ? host : undefined, rejectUnauthorized: false, timeout: TLS_TRIAL_MS,
    })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('secureConnect', end(true)).once('timeout', end(false)).once('error', end(false)).once('close', end(false))
  })
}
