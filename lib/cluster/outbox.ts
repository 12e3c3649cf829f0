import { create } from '@bufbuild/protobuf'
import { LinkResponseSchema, type LinkResponse } from '../gen/mics/node/v1/node_pb.js'
import { encodeResult, type ItemResult } from './item-result.js'
import type { Answers } from './seen-items.js'

/** Results that wait here for the peer to take them: beyond it, no more of its items are read. */
const MAX_WAITING = 16_384

/** What goes back on one stream. What is ready at once leaves as one response. */
export class Outbox implements Answers, AsyncIterable<LinkResponse> {
  private waiting: ItemResult[] = []
  private ended?: { error?: Error }
  private wakeReader?: () => void
  private wakeWriter?: () => void

  get isEnded (): boolean {
    return this.ended !== undefined
  }

  push (results: ItemResult[]): void {
    if (this.isEnded || results.length === 0) return
    for (const result of results) this.waiting.push(result)
    this.wakeReader?.()
  }

  /** Resolves when there is room for more, or nobody takes any more. */
  async room (): Promise<void> {
    if (this.waiting.length < MAX_WAITING || this.isEnded) return
    await new Promise<void>(resolve => { this.wakeWriter = resolve })
  }

  /** What waits still goes out; then the stream ends, with the error if there is one. */
  end (error?: Error): void {
    this.ended ??= { error }
    this.wakeReader?.()
    this.wakeWriter?.()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<LinkResponse> {
    for (;;) {
      if (this.waiting.length > 0) {
        const results = this.waiting
        this.waiting = []
        this.wakeWriter?.()
        yield create(LinkResponseSchema, { results: results.map(encodeResult) })
      } else if (this.ended !== undefined) {
        if (this.ended.error !== undefined) throw this.ended.error
        return
      } else {
        await new Promise<void>(resolve => { this.wakeReader = resolve })
      }
    }
  }
}
