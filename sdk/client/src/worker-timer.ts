/** As much of a browser as the timer uses. */
interface Browser {
  Worker?: new (url: string) => Worker
  Blob: new (parts: string[], options: { type: string }) => object
  URL: { createObjectURL (blob: object): string, revokeObjectURL (url: string): void }
}

interface Worker {
  onmessage: (() => void) | null
  onerror: (() => void) | null
  terminate (): void
}

/** By then a worker has loaded its script. */
const LOADED_MS = 10_000

/** The page's security policy was asked, and each time it says no the browser complains to the console. */
let isForbidden = false

/**
 * Like setInterval, from a worker: browsers slow the timers of a hidden tab down to one a minute, and a gateway that
 * hears nothing for its heartbeat window hangs up. Where the page's security policy forbids such a worker, it is
 * setInterval: such a page adds `worker-src blob:`. Returns what ends it.
 */
export function workerTimer (ms: number, listener: () => void): () => void {
  const { Worker, Blob, URL } = globalThis as unknown as Browser
  let worker: Worker | undefined
  let timer: ReturnType<typeof setInterval> | undefined
  let isOver = false
  const useInterval = (): void => { if (!isOver) timer ??= setInterval(listener, ms) }
  const onForbidden = (): void => {
    isForbidden = true
    useInterval()
  }
  if (Worker === undefined || isForbidden) {
    useInterval()
  } else {
    const url = URL.createObjectURL(new Blob([`setInterval(()=>postMessage(0),${ms})`], { type: 'text/javascript' }))
    try {
      worker = new Worker(url)
      worker.onmessage = listener
      // Some browsers find out only now that the policy forbids it.
      worker.onerror = onForbidden
    } catch {
      onForbidden()
    }
    setTimeout(() => URL.revokeObjectURL(url), LOADED_MS)
  }
  return () => {
    isOver = true
    worker?.terminate()
    clearInterval(timer)
  }
}
