import type { Readable } from 'node:stream'
import { Refusal } from './refusal.js'

export interface BodyLimits {
  maxBytes: number
  /** Milliseconds for the whole body. */
  timeoutMs: number
  /** Makes room for more of this body, until its call is answered. False: all calls together hold too much already. */
  hold: (bytes: number) => boolean
}

/** The body of a Node request. Rejects with a Refusal where it is too large or does not end in time. */
export function readStream (
  stream: Readable, contentLength: string | undefined, limits: BodyLimits
): Promise<Uint8Array> {
  if (Number(contentLength) > limits.maxBytes) return Promise.reject(tooLarge(limits))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      stream.off('data', onData).off('end', onEnd).off('close', onClose)
      settle()
    }
    const timer = setTimeout(() => finish(() => reject(tooSlow(limits))), limits.timeoutMs)
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      const refusal = bytes > limits.maxBytes ? tooLarge(limits) : limits.hold(chunk.length) ? undefined : noRoom()
      if (refusal !== undefined) finish(() => { stream.pause(); reject(refusal) })
      else chunks.push(chunk)
    }
    const onEnd = (): void => finish(() => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)))
    const onClose = (): void => finish(() => reject(new Refusal('body_timeout', 'the connection ended within the body')))
    // Without a listener an error of the connection would end the process. A close follows it.
    stream.on('error', () => {})
    stream.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

/** The same for a fetch request. */
export async function readRequest (request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length')) > limits.maxBytes) throw tooLarge(limits)
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooSlow(limits)), limits.timeoutMs)
  })
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), timeout])
      if (done) return Buffer.concat(chunks)
      bytes += value.byteLength
      if (bytes > limits.maxBytes) throw tooLarge(limits)
      if (!limits.hold(value.byteLength)) throw noRoom()
      chunks.push(value)
    }
  } catch (error) {
    // Whoever sends it need not go on. That this may fail as well changes nothing.
    reader.cancel(error).catch(() => {})
    throw error instanceof Refusal ? error : new Refusal('body_timeout', 'the connection ended within the body')
  } finally {
    clearTimeout(timer)
  }
}

function tooLarge ({ maxBytes }: BodyLimits): Refusal {
  return new Refusal('too_large', `the body is larger than ${maxBytes} bytes: raise maxBodyBytes where the gateway's MAX_MESSAGE_BYTES was raised`)
}

function noRoom (): Refusal {
  return new Refusal('busy', 'the bodies of the calls in progress fill maxBytesInProgress', true)
}

function tooSlow ({ timeoutMs }: BodyLimits): Refusal {
  return new Refusal('body_timeout', `the body did not end within ${timeoutMs} ms`)
}
