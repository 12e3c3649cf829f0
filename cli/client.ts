import { randomBytes, randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { ConnectionEndedError, type ChatClient, type ClientEvent, type OutgoingMessage } from '../lib/chat-client/chat-client.js'
import { isPassing } from '../lib/chat-client/reconnecting.js'
import { AckStatus, MessageType, type MessageAck } from '../lib/gen/mics/message/v1/message_pb.js'
import { CloseCode } from '../lib/protocol/close-codes.js'
import { clientLine } from './client-line.js'
import { ClientProgress } from './client-progress.js'
import { parseCount, stopSignal } from './events-source.js'
import { CommandError, fail } from './failure.js'
import { parseGatewayUrls } from './gateway-urls.js'
import { LineOutput } from './line-output.js'

interface ClientOptions {
  url?: string[]
  tenant: string
  token?: string
  user?: string
  device?: string
  to?: string
  group?: string
  text?: string[]
  msgId?: string
  retry: number
  receive?: number
  timeout?: number
  heartbeat: number
  stay?: boolean
}

/** Milliseconds until a message that failed for now is sent again. */
const RETRY_PAUSE_MS = 500

const defaultUrl = 'ws://localhost:8080'

/** What to do about an end for good, where there is something to say beyond the gateway's own reason. */
const advice: Partial<Record<number, string>> = {
  [CloseCode.AUTH_FAILED]: 'give a valid token with --token or MICS_TOKEN; --user is for the hooks of `mics dev` and `mics hook mock`',
  [CloseCode.UNKNOWN_TENANT]: 'is --tenant one that the gateway is configured with?',
  [CloseCode.REPLACED]: 'the device has connected elsewhere; give each client a --device of its own',
}

export function clientCommand (): Command {
  const client = new Command('client')
  return client
    .description('connect as a user, send messages, and print what comes as lines of JSON')
    .option('--url <url,...>', `gateways, one after another each time it connects again (default: ${defaultUrl})`,
      (text, earlier: string[] = []) => [...earlier, ...parseGatewayUrls(text, client)])
    .requiredOption('-t, --tenant <id>', 'the tenant')
    .addOption(new Option('--token <token>', 'the token that its auth hook knows (MICS_TOKEN)')
      .conflicts('user').argParser(notEmpty('a token')))
    .option('--user <name>', 'a user of `mics dev` or `mics hook mock`, whose token is valid:<name>', notEmpty('a name'))
    .option('--device <id>', 'the device (default: a new one each time)')
    .addOption(new Option('--to <user>', 'send to this user').conflicts('group'))
    .option('--group <id>', 'send to this group')
    .option('--text <text>', 'what to send; several may be given; without it, each line of stdin', append)
    .option('--msg-id <id>', 'the msg_id of a single --text (default: a new one each time)', notEmpty('an id'))
    .option('--retry <seconds>', 'send again for so long what failed for now, such as "tenant qps limited"', parseSeconds, 0)
    .option('--receive <number>', 'end when so many messages have come', parseCount)
    .option('--stay', 'go on printing when all is sent, until Ctrl-C')
    .option('--timeout <seconds>', 'give up after so long', parseSeconds)
    .option('--heartbeat <seconds>', "seconds between heartbeats: a third of the tenant's window", parseSeconds, 10)
    .addHelpText('after', `
It connects again as docs/protocol.md asks of clients, to the next --url, and sends what had no ack again under the same
msg_id. Messages go out one after another, each when the one before it is acked. What comes a second time is printed
with "repeat":true, and --receive does not count it.

Without --to, --group and --receive it prints what comes until Ctrl-C. Others see the arguments of a command: give real
tokens in MICS_TOKEN. Where --token or --user is given, MICS_TOKEN is not used.

Exit codes: 0 where all that was given is acked as SENT and all of --receive has come, also if Ctrl-C ended it; 1 where
not, and where the connection ended for good or time was up.

Examples:
  $ mics client --tenant demo --user bob
  $ mics client --tenant demo --user alice --to bob --text hello
  $ mics client --tenant demo --user alice --to bob --stay
  $ seq 100 | mics client --tenant demo --user alice --group team --retry 30
  $ MICS_TOKEN=… mics client --url wss://im.example --tenant acme --receive 1 --timeout 60 | jq -r .msg_body_text`)
    .action(async (options: ClientOptions, command: Command) => {
      const token = tokenOf(options, process.env) ??
        command.error("error: give a token with --token or MICS_TOKEN, or a demo's --user")
      checkOptions(options, command)
      try {
        process.exitCode = await runClient(options, token)
      } catch (error) {
        fail(error)
      }
    })
}

function checkOptions ({ to, group, text = [], msgId }: ClientOptions, command: Command): void {
  const sends = to !== undefined || group !== undefined
  if (!sends && text.length > 0) command.error('error: --text needs --to or --group')
  if (msgId !== undefined && text.length !== 1) command.error('error: --msg-id is for one --text')
}

/** What is given goes before the environment; a variable that is empty counts as not set. */
function tokenOf ({ token, user }: ClientOptions, { MICS_TOKEN }: NodeJS.ProcessEnv): string | undefined {
  if (user !== undefined) return `valid:${user}`
  return token ?? (MICS_TOKEN === '' ? undefined : MICS_TOKEN)
}

/** Resolves with the exit code. */
async function runClient (options: ClientOptions, token: string): Promise<number> {
  const { url = [defaultUrl], tenant, device, text = [], receive = 0, timeout, heartbeat } = options
  const output = new LineOutput(process.stdout)
  const stop = AbortSignal.any([stopSignal(), output.closed])
  const over = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1000)
  const progress = new ClientProgress(receive)
  progress.given(text.length)

  function onEvent (event: ClientEvent): void {
    output.write(clientLine(event)).catch(fail)
    // What nobody has read does not count.
    if (event.type === 'message' && !event.isRepeat && !output.closed.aborted) progress.received()
  }

  // Loaded here, so that help need not wait for it.
  const { ChatClient } = await import('../lib/chat-client/chat-client.js')
  const client = new ChatClient({
    urls: url,
    tenantId: tenant,
    token,
    deviceId: device ?? `cli-${randomBytes(4).toString('hex')}`,
    heartbeatMs: heartbeat * 1000,
    onEvent,
  })
  const work = async (): Promise<void> => {
    for await (const message of messagesOf(options, progress)) {
      const ack = await sendPatiently(client, message, options.retry)
      if (ack.status === AckStatus.SENT) progress.sent()
    }
    if (receive > 0) await progress.allReceived
    else if (options.stay || (options.to ?? options.group) === undefined) await client.ended
  }
  try {
    const end = await Promise.race([
      work().then(() => undefined),
      client.ended,
      aborted(stop),
      aborted(over).then(() => new CommandError('MICS_TIME_IS_UP', whatWasMissing(options, progress))),
    ])
    if (end instanceof ConnectionEndedError) throw new CommandError(end.code, explained(end))
    if (end instanceof Error) throw end
  } finally {
    client.close()
    await client.ended
    // One that stays open must not hold the process.
    if (readsStdin(options)) process.stdin.destroy()
  }
  return progress.isComplete ? 0 : 1
}

async function * messagesOf (
  { to, group, text, msgId }: ClientOptions, progress: ClientProgress
): AsyncGenerator<OutgoingMessage> {
  if (to === undefined && group === undefined) return
  const destination = group === undefined
    ? { msgType: MessageType.SINGLE_CHAT, toUserId: to }
    : { msgType: MessageType.GROUP_CHAT, groupId: group }
  // A line is given as soon as it is read, though others may still be before it.
  for await (const line of text ?? createInterface(process.stdin).on('line', () => progress.given())) {
    yield { ...destination, msgId: msgId ?? randomUUID(), msgBody: Buffer.from(line), timestampMs: BigInt(Date.now()) }
  }
}

/** What a terminal's user types is somebody else's where there is nothing to send. */
function readsStdin ({ to, group, text }: ClientOptions): boolean {
  return (to ?? group) !== undefined && text === undefined
}

/** The last ack: of a message that failed for now it is sent again, as long as `seconds` allow. */
async function sendPatiently (client: ChatClient, message: OutgoingMessage, seconds: number): Promise<MessageAck> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const ack = await client.send(message)
    if (ack.status === AckStatus.SENT || !isPassing(ack.reason) || Date.now() + RETRY_PAUSE_MS > deadline) return ack
    await delay(RETRY_PAUSE_MS)
  }
}

/** Never, where there is no signal. */
async function aborted (signal?: AbortSignal): Promise<undefined> {
  await new Promise<void>(resolve => {
    if (signal?.aborted) resolve()
    else signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}

function whatWasMissing ({ timeout, receive }: ClientOptions, { missing }: ClientProgress): string {
  const seconds = `${timeout} s are over`
  return missing > 0 ? `${seconds}, and ${missing} of ${receive} messages have not come` : seconds
}

function explained ({ message, closeCode }: ConnectionEndedError): string {
  const hint = advice[closeCode]
  return hint === undefined ? message : `${message}: ${hint}`
}

function append (text: string, earlier: string[] = []): string[] {
  return [...earlier, text]
}

/** A parser that takes any text but none: `--token "$UNSET"` is a mistake, and no wish for another token. */
function notEmpty (what: string): (text: string) => string {
  return text => {
    if (text === '') throw new InvalidArgumentError(`It takes ${what}.`)
    return text
  }
}

function parseSeconds (text: string): number {
  const seconds = Number(text)
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || seconds === 0) throw new InvalidArgumentError('It takes a number of seconds, such as 10.')
  return seconds
}
