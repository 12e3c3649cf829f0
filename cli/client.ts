import { randomBytes, randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Command, InvalidArgumentError, Option } from 'commander'
import { CloseCode } from '../lib/protocol/close-codes.js'
import type { MicsClient } from '../sdk/client/src/client.js'
import { MicsError } from '../sdk/client/src/errors.js'
import type { OutgoingMessage } from '../sdk/client/src/message.js'
import { clientLine, type ClientEvent } from './client-line.js'
import { ClientProgress } from './client-progress.js'
import { ClientSender } from './client-sender.js'
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

/** The longest that the client's timers can wait: a heartbeat every 8 days is none anyway. */
const MAX_HEARTBEAT_WINDOW_MS = 2 ** 31 - 1

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
    .requiredOption('-t, --tenant <id>', 'the tenant', notEmpty('an id'))
    .addOption(new Option('--token <token>', 'the token that its auth hook knows (MICS_TOKEN)')
      .conflicts('user').argParser(notEmpty('a token')))
    .option('--user <name>', 'a user of `mics dev` or `mics hook mock`, whose token is valid:<name>', notEmpty('a name'))
    .option('--device <id>', 'the device (default: a new one each time)', notEmpty('an id'))
    .addOption(new Option('--to <user>', 'send to this user').conflicts('group').argParser(notEmpty('a user')))
    .option('--group <id>', 'send to this group', notEmpty('an id'))
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
  const { MicsClient } = await import('../sdk/client/src/node.js')
  const client = new MicsClient({
    url,
    tenantId: tenant,
    token,
    deviceId: device ?? `cli-${randomBytes(4).toString('hex')}`,
    heartbeatTimeoutMs: Math.min(Math.round(heartbeat * 3000), MAX_HEARTBEAT_WINDOW_MS),
    maxInFlight: 1,
    // What is too large is for the gateway to say.
    maxBodyBytes: Number.MAX_SAFE_INTEGER,
    outboxMaxBytes: Number.MAX_SAFE_INTEGER,
  })
  const ended = tellEvents(client, onEvent)
  const sender = new ClientSender(client, { retryMs: options.retry * 1000, onEvent })
  client.connect()
  const work = async (): Promise<void> => {
    for await (const message of messagesOf(options, progress)) {
      if (await sender.send(message)) progress.sent()
    }
    if (receive > 0) await progress.allReceived
    else if (options.stay || (options.to ?? options.group) === undefined) await ended
  }
  try {
    const problem = await Promise.race([
      work().catch(error => error),
      ended,
      aborted(stop),
      aborted(over).then(() => new CommandError('MICS_TIME_IS_UP', whatWasMissing(options, progress))),
    ])
    if (problem instanceof MicsError && problem.closeCode !== undefined) {
      throw endedError(problem.closeCode, problem.closeReason)
    }
    if (problem instanceof Error) throw problem
  } finally {
    const wasConnected = client.state.name === 'connected'
    await client.close()
    if (wasConnected) onEvent({ type: 'closed', code: CloseCode.NORMAL, reason: '' })
    // One that stays open must not hold the process.
    if (readsStdin(options)) process.stdin.destroy()
  }
  return progress.isComplete ? 0 : 1
}

/** Hands on what happens, in order. Resolves when connecting again would not help. */
async function tellEvents (client: MicsClient, onEvent: (event: ClientEvent) => void): Promise<CommandError> {
  client.on('message', message => onEvent({ type: 'message', message, isRepeat: false }))
  client.on('repeat', message => onEvent({ type: 'message', message, isRepeat: true }))
  client.on('ack', ack => onEvent({ type: 'ack', ack }))
  client.on('error', error => {
    if (error.code === 'MICS_LISTENER_FAILED') fail(error.cause)
    onEvent({ type: 'error', error })
  })
  return await new Promise(resolve => client.on('state', state => {
    if (state.name === 'connected') onEvent({ type: 'connected', state })
    if (state.name !== 'waiting' && state.name !== 'closed') return
    const { code, reason } = state
    onEvent({ type: 'closed', code, reason, retryAt: state.name === 'waiting' ? state.retryAt : undefined })
    if (state.name === 'closed') resolve(endedError(code, reason))
  }))
}

async function * messagesOf (
  { to, group, text, msgId }: ClientOptions, progress: ClientProgress
): AsyncGenerator<OutgoingMessage & { msgId: string }> {
  const destination = to !== undefined ? { toUserId: to } : group !== undefined ? { groupId: group } : undefined
  if (destination === undefined) return
  // A line is given as soon as it is read, though others may still be before it.
  for await (const line of text ?? createInterface(process.stdin).on('line', () => progress.given())) {
    yield { ...destination, msgId: msgId ?? randomUUID(), body: line, timestampMs: Date.now() }
  }
}

/** What a terminal's user types is somebody else's where there is nothing to send. */
function readsStdin ({ to, group, text }: ClientOptions): boolean {
  return (to ?? group) !== undefined && text === undefined
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

function endedError (code: number, reason = ''): CommandError {
  const words = `the connection was closed with ${code}${reason === '' ? '' : `, ${reason}`}`
  const hint = advice[code]
  return new CommandError('MICS_CONNECTION_ENDED', hint === undefined ? words : `${words}: ${hint}`)
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
