import { fromBinary } from '@bufbuild/protobuf'
import { withoutField } from './envelope.js'
import { decodeEvent, type EventHeaders, type GatewayEvent } from './event.js'
import { MqEventSchema } from './gen/mics/hook/v1/hook_pb.js'
import { withoutControls } from './logger.js'
import { secretsOf, type Secrets } from './secrets.js'
import { eventSignMatches } from './signature.js'

export type InvalidEventReason = 'undecodable' | 'unknown_tenant' | 'unsigned' | 'wrong_signature'

/** A record that is no event of the gateway's, or of another tenant. The message says what to do. */
export class InvalidEventError extends Error {
  override readonly name = 'InvalidEventError'
  readonly code = 'MICS_INVALID_EVENT'

  constructor (readonly reason: InvalidEventReason, message: string, options?: ErrorOptions) {
    super(message, options)
  }
}

export type EventSigning =
  | {
    /**
     * Those that the gateway signs with: of the tenant, or the one that `authenticate` gives as `tenantSecret`. Keep an
     * old one here for as long as the topic has events that were signed with it.
     */
    secrets: Secrets
    allowUnsigned?: false
  }
  | {
    secrets?: undefined
    /** Takes whatever is in the topic, without a look at signatures. */
    allowUnsigned: true
  }

export type OpenEventOptions = EventSigning & {
  /** Of the record: they say whether it is a dead letter. */
  headers?: EventHeaders
}

const SIGN_FIELD = 11

/**
 * The event in the value of a record, verified.
 * @throws InvalidEventError (as a rejection) where it is no event, or not signed with one of the secrets.
 */
export async function openEvent (bytes: Uint8Array, options: OpenEventOptions): Promise<GatewayEvent> {
  const { secrets, allowUnsigned = false, headers = {} } = options
  if (secrets === undefined && !allowUnsigned) {
    throw new TypeError('secrets are missing: give the tenant\'s secret, or allowUnsigned: true to take any event')
  }
  const { tenantId, sign, unsigned } = cutSign(bytes)
  if (secrets !== undefined) {
    const accepted = await secretsOf(secrets, tenantId)
    if (accepted.length === 0) {
      throw new InvalidEventError('unknown_tenant', `there is no secret for the tenant ${JSON.stringify(withoutControls(tenantId.slice(0, 100)))}`)
    }
    if (sign === '') throw new InvalidEventError('unsigned', 'the event is not signed: give the gateway a secret for the tenant')
    if (!eventSignMatches(sign, unsigned, accepted)) {
      throw new InvalidEventError('wrong_signature', 'the signature is wrong: the event is not from the gateway, or signed with another secret of the tenant')
    }
  }
  try {
    return decodeEvent(bytes, headers)
  } catch (cause) {
    throw undecodable(cause)
  }
}

function cutSign (bytes: Uint8Array): { tenantId: string, sign: string, unsigned: Uint8Array[] } {
  try {
    const { tenantId, sign } = fromBinary(MqEventSchema, bytes, { readUnknownFields: false })
    return { tenantId, sign, unsigned: withoutField(bytes, SIGN_FIELD) }
  } catch (cause) {
    throw undecodable(cause)
  }
}

function undecodable (cause: unknown): InvalidEventError {
  return new InvalidEventError('undecodable', 'the record is no MqEvent in protobuf', { cause })
}
