/* What the client for every platform exports, besides the client itself. */
export type { SendOptions } from './client.js'
export type { BodyEncryption, EncryptionContext } from './encryption-port.js'
export { MicsError, type MicsErrorCode, type MicsErrorDetails, type ServerError } from './errors.js'
export type { ClientEvents, ConnectAck, ConnectionState } from './events.js'
export type { IncomingMessage, MessageAck, OutgoingMessage } from './message.js'
export type { AbortSignalLike, MicsClientOptions, TokenProvider } from './options.js'
export type { Socket, SocketEvents, Transport } from './transport.js'
