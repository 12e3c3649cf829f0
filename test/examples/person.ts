import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { MicsError } from '../../sdk/client/src/errors.js'
import type { IncomingMessage, MessageAck } from '../../sdk/client/src/message.js'
import { SdkClient } from '../sdk/client/sdk-client.js'

type Recipient = { toUserId: string } | { groupId: string }

/** Somebody who chats with an example. On a busy machine a hook may miss its 150 ms: then they try again. */
export class Person {
  private constructor (private readonly sdk: SdkClient) {}

  static async connect (
    t: Test, { url, user, tenantId = 'demo', token = `valid:${user}` }: { url: string, user: string, tenantId?: string, token?: string }
  ): Promise<Person> {
    const sdk = new SdkClient(t, { url, tenantId, token, deviceId: `${user}-1`, sendTimeoutMs: Infinity })
    await sdk.client.connect()
    return new Person(sdk)
  }

  get messages (): readonly IncomingMessage[] {
    return this.sdk.messages
  }

  get texts (): string[] {
    return this.sdk.texts
  }

  /** Resolves when it is sent; rejects where trying again would not help. */
  async send (to: Recipient, body: string): Promise<MessageAck> {
    for (;;) {
      try {
        return await this.sdk.client.send({ ...to, body })
      } catch (error) {
        if (!(error as MicsError).isPassing) throw error
      }
    }
  }

  /** Resolves with why the tenant does not let it pass. */
  async refused (to: Recipient, body: string): Promise<string> {
    const outcome = await this.send(to, body).catch((error: MicsError) => error)
    return outcome instanceof Error ? outcome.ack?.reason ?? outcome.message : 'it was sent'
  }

  /** Sends, and resolves with the text that comes next. */
  async ask (to: Recipient, body: string): Promise<string> {
    const count = this.messages.length
    await this.send(to, body)
    await this.received(count + 1)
    return this.texts[count]
  }

  /** Resolves when so many messages have come in all. */
  async received (count: number): Promise<void> {
    await this.sdk.until(() => this.messages.length >= count)
  }

  /**
   * Resolves when so many messages have come in all. On a busy machine the pull may miss its 150 ms: then it takes
   * another connection.
   */
  async pulled (count: number): Promise<void> {
    while (this.messages.length < count) {
      await Promise.race([this.received(count), delay(3000, undefined, { ref: false })])
      if (this.messages.length < count) this.sdk.client.reconnect()
    }
  }

  async leave (): Promise<void> {
    await this.sdk.client.close()
  }
}
