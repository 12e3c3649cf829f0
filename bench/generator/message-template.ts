import { randomBytes } from 'node:crypto'
import { clientFrame, maskAt } from './raw-socket.js'

const DIGITS = 9
const ZEROS = '0'.repeat(DIGITS)

/** As long as a UUID, which is what clients use; no other process and no earlier run has the same. */
const idPrefix = `${randomBytes(13).toString('hex')}-`

/** Stands in a template where the number of the message comes. */
export const messageIdPlaceholder = idPrefix + ZEROS

/** The frame of a message, made once; each message sent differs in its number only. */
export class MessageTemplate {
  readonly byteLength: number
  private readonly frame: Buffer
  /** Where numbers are in the frame, and in the payload. */
  private readonly places: ReadonlyArray<{ inFrame: number, inPayload: number }>

  /** @param payload has nine zeros wherever the number comes, and nowhere else */
  constructor (payload: Buffer, kind: 'text' | 'binary') {
    this.frame = clientFrame(payload, kind)
    this.byteLength = this.frame.length
    const header = this.frame.length - payload.length
    const places = []
    for (let at = payload.indexOf(ZEROS); at !== -1; at = payload.indexOf(ZEROS, at + DIGITS)) {
      places.push({ inFrame: header + at, inPayload: at })
    }
    this.places = places
  }

  /** Writes the message of this number into `target`; returns where it ends. */
  writeTo (target: Buffer, offset: number, number: number): number {
    target.set(this.frame, offset)
    for (const { inFrame, inPayload } of this.places) {
      let rest = number
      for (let i = DIGITS - 1; i >= 0; i--) {
        const higher = (rest / 10) | 0
        target[offset + inFrame + i] = (48 + rest - higher * 10) ^ maskAt(inPayload + i)
        rest = higher
      }
    }
    return offset + this.byteLength
  }
}
