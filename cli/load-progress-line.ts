import type { LoadProgress } from '../lib/load-test/run-load.js'

/** How far a load run is, on one line of a terminal. Nothing is printed where the stream is none. */
export class LoadProgressLine {
  #width = 0

  constructor (private readonly stream: { readonly isTTY?: boolean, write: (text: string) => unknown }) {}

  update (progress: LoadProgress): void {
    if (this.stream.isTTY !== true) return
    const text = progressText(progress)
    this.stream.write(`\r${text.padEnd(this.#width)}`)
    this.#width = text.length
  }

  /** Ends the line, so that what is printed next stands below. */
  end (): void {
    if (this.#width > 0) this.stream.write('\n')
    this.#width = 0
  }
}

function progressText ({
  phase, seconds, ofSeconds, connections, allConnections, sent, acked, failed, received,
}: LoadProgress): string {
  if (phase === 'connecting') return `connecting: ${connections} of ${allConnections}`
  const time = seconds < ofSeconds ? `${Math.floor(seconds)} of ${ofSeconds} s` : 'waiting for what is late'
  const messages = sent === 0 ? '' : `, ${sent} sent, ${acked} acked, ${received} delivered${failed === 0 ? '' : `, ${failed} FAILED`}`
  return `${time}: ${connections} connections${messages}`
}
