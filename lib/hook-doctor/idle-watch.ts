import { Agent as HttpAgent, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { SignedRequest } from '../hooks/hook-request.js'

export interface IdleOutcome {
  /** What the server announces in its `keep-alive` header, in seconds. */
  announcedSeconds?: number
  /** Milliseconds after which an idle connection was closed; undefined: it was still open at the end. */
  closedAfterMs?: number
  /** The connection was closed with the answer. */
  closesEach?: boolean
}

/**
 * Makes a call over a connection of its own and sees how long that stays open when nothing happens on it.
 * Undefined: the call failed, which others report.
 * @param idleMs milliseconds to watch, where the server does not announce how long it keeps connections
 */
export async function watchIdle (
  url: string, { headers, body }: SignedRequest, idleMs: number
): Promise<IdleOutcome | undefined> {
  const isTls = new URL(url).protocol === 'https:'
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  try {
    return await new Promise(resolve => {
      const patience = setTimeout(() => resolve(undefined), idleMs)
      const call = (isTls ? requestHttps : requestHttp)(url, {
        method: 'POST', agent, headers: { ...headers, 'content-length': body.length },
      })
      call.once('error', () => {
        clearTimeout(patience)
        resolve(undefined)
      })
      call.once('response', response => {
        const { socket } = response
        clearTimeout(patience)
        const announced = /timeout=(\d+)/i.exec(String(response.headers['keep-alive'] ?? ''))?.[1]
        if (/close/i.test(String(response.headers.connection ?? ''))) return resolve({ closesEach: true })
        if (announced !== undefined) return resolve({ announcedSeconds: Number(announced) })
        response.resume().once('end', () => {
          const idleSince = performance.now()
          const timer = setTimeout(() => resolve({}), idleMs)
          socket.once('close', () => {
            clearTimeout(timer)
            resolve({ closedAfterMs: performance.now() - idleSince })
          })
        })
      })
      call.end(body)
    })
  } finally {
    agent.destroy()
  }
}
