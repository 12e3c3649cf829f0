import { once, EventEmitter } from 'node:events'
import type { Test } from 'tap'
import type { MicsError } from '../../../sdk/client/src/errors.js'
import type { ConnectionState } from '../../../sdk/client/src/events.js'
import type { IncomingMessage, MessageAck } from '../../../sdk/client/src/message.js'
import { MicsClient } from '../../../sdk/client/src/node.js'
import type { MicsClientOptions } from '../../../sdk/client/src/options.js'

/** A client of the SDK, and what it told its app so far. */
export class SdkClient {
  readonly states: ConnectionState[] = []
  readonly messages: IncomingMessage[] = []
  readonly repeats: IncomingMessage[] = []
  readonly acks: MessageAck[] = []
  readonly errors: MicsError[] = []
  readonly client: MicsClient
  private readonly events = new EventEmitter().setMaxListeners(0)

  /** Of tenant t1 and user alice unless told, waiting for nothing between attempts; closed when the test ends. */
  constructor (t: Test, options: Partial<MicsClientOptions> & Pick<MicsClientOptions, 'url'>) {
    this.client = new MicsClient({ tenantId: 't1', deviceId: 'd1', token: 'valid:alice', random: () => 0, ...options })
    const record = <T>(list: T[]) => (item: T) => {
      list.push(item)
      this.events.emit('change')
    }
    this.client.on('state', record(this.states))
    this.client.on('message', record(this.messages))
    this.client.on('repeat', record(this.repeats))
    this.client.on('ack', record(this.acks))
    this.client.on('error', record(this.errors))
    t.teardown(async () => await this.client.close())
  }

  /** Resolves when `condition` holds, looked at whenever something was told. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, 'change')
  }

  /** Resolves when it is, or has just come to, a state of this name. */
  async untilState (name: ConnectionState['name']): Promise<ConnectionState> {
    await this.until(() => this.client.state.name === name)
    return this.client.state
  }

  get stateNames (): string[] {
    return this.states.map(({ name }) => name)
  }

  get texts (): string[] {
    return this.messages.map(({ text }) => text)
  }
}

/** Where clients of the SDK connect. */
export function wsUrl (httpUrl: string): string {
  return httpUrl.replace(/^http/, 'ws')
}
