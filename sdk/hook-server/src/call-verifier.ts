import type { Envelope } from './envelope.js'
import type { CheckedOptions } from './options.js'
import { withoutControls } from './logger.js'
import { Refusal } from './refusal.js'
import type { RequestIds } from './request-ids.js'
import { secretsOf } from './secrets.js'
import { headerSignatureMatches, metaSignMatches } from './signature.js'

/** The headers of a request: lower case names. */
export type HeaderOf = (name: string) => string | undefined

const WRONG = 'give this server and the gateway the same secret of the tenant'

/** Decides whether a call is the gateway's own, new and for one of the tenants served here. */
export class CallVerifier {
  constructor (private readonly options: CheckedOptions, private readonly requestIds: RequestIds) {}

  /** Rejects with a Refusal. */
  async verify (envelope: Envelope, body: Uint8Array, headerOf: HeaderOf): Promise<void> {
    const { secrets, tenantIds } = this.options
    const { tenantId } = envelope.meta
    if (tenantIds?.has(tenantId) === false) throw unknownTenant(tenantId)
    if (secrets === undefined) return
    const accepted = await secretsOf(secrets, tenantId)
    if (accepted.length === 0) throw unknownTenant(tenantId)
    this.checkSignatures(envelope, body, headerOf, accepted)
    await this.checkTime(envelope)
  }

  private checkSignatures (
    envelope: Envelope, body: Uint8Array, headerOf: HeaderOf, accepted: readonly string[]
  ): void {
    const signature = headerOf('x-mics-signature')
    if (envelope.meta.sign === '') {
      throw new Refusal('unsigned', 'meta.sign is empty: give the gateway a secret for the tenant, and this server the same')
    }
    if (!metaSignMatches(envelope, accepted)) throw new Refusal('wrong_signature', `meta.sign is wrong: ${WRONG}`)
    if (signature === undefined) {
      if (!this.options.requireHeaderSignature) return
      throw new Refusal('unsigned', 'the header x-mics-signature is missing: a proxy on the way must pass it on')
    }
    const timestamp = headerOf('x-mics-timestamp') ?? ''
    if (!headerSignatureMatches(signature, timestamp, body, accepted)) {
      throw new Refusal('wrong_signature', `x-mics-signature is wrong: ${WRONG}, and let no proxy on the way change the body`)
    }
    if (timestamp !== String(envelope.meta.timestampMs)) {
      throw new Refusal('wrong_signature', 'x-mics-timestamp is not meta.timestamp_ms')
    }
  }

  private async checkTime ({ meta: { tenantId, requestId, timestampMs } }: Envelope): Promise<void> {
    const { timestampToleranceMs } = this.options
    const time = Number(timestampMs)
    const offMs = Math.abs(Date.now() - time)
    if (offMs > timestampToleranceMs) {
      throw new Refusal('expired', `timestamp_ms is ${Math.round(offMs / 1000)} seconds off this server's clock: let both machines keep their time by NTP`)
    }
    if (requestId === '') throw new Refusal('undecodable', 'meta.request_id is empty')
    if (!await this.requestIds.add(tenantId, requestId, time + timestampToleranceMs)) {
      throw new Refusal('replayed', 'a call with this request_id was answered before, or is too old to tell')
    }
  }
}

function unknownTenant (tenantId: string): Refusal {
  return new Refusal('unknown_tenant', `the tenant ${JSON.stringify(withoutControls(tenantId.slice(0, 100)))} is not served here`)
}
