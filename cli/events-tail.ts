import { Command, InvalidArgumentError, Option } from 'commander'
import { EventType } from '../lib/gen/mics/hook/v1/hook_pb.js'
import { describeRecord, type EventDescription } from '../lib/mq/event-description.js'
import type { PartitionBounds, PartitionRange, TopicReader } from '../lib/mq/kafka/topic-reader.js'
import { jsonLines, tableLines, type EventFormat } from './event-lines.js'
import {
  boundsOf, endSoonAfter, eventsSource, parseCount, secretsOf, stopSignal, withEventsOptions, withSecretOption,
  type EventsOptions, type SecretOptions,
} from './events-source.js'
import { fail } from './failure.js'
import { LineOutput } from './line-output.js'
import { parseSince, sinceTakes } from './since.js'

interface TailOptions extends EventsOptions, SecretOptions {
  fromBeginning?: boolean
  since?: number
  follow: boolean
  limit?: number
  type?: string[]
  format?: EventFormat
  bodies?: boolean
  dlq?: boolean
  wait?: boolean
}

const types = Object.keys(EventType).filter(name => Number.isNaN(Number(name)))

export function tailCommand (): Command {
  return withSecretOption(withEventsOptions(new Command('tail')))
    .description("print a tenant's events as they come, until Ctrl-C")
    .addOption(new Option('--from-beginning', 'begin with the oldest').conflicts('since'))
    .option('--since <time>', `begin with those of ${sinceTakes}`, text => parseSince(text))
    .option('--no-follow', 'end with the newest, instead of waiting for more')
    .option('--limit <number>', 'end after so many', parseCount)
    .option('--type <type,...>', `only of these types: ${types.join(', ')}`, parseTypes)
    .addOption(formatOption())
    .option('--bodies', 'print the bodies of messages, and not only their sizes')
    .option('--dlq', 'dead letters instead of events')
    .option('--wait', 'wait for the topic where there is none yet')
    .addHelpText('after', `
It reads beside all consumers: no group is left behind, and nothing is committed. Partitions are read side by side, so
events of different conversations may come in another order than they happened.

SIGNED, or \`signature\`, says whether the signature holds: ok, bad, none (not signed), or unknown (no secret to check it
with). The secret is the one that the gateway is configured with; a tenant whose auth hook gives another one
(tenant_secret) needs --secret-file, or MICS_EVENT_SECRET. While the secret is being changed, give a file with the old one
and one with the new.

A line of JSON has the fields of MqEvent by their names in the .proto, event_data decoded, and time, signature, key,
partition, offset and size beside them. Whole numbers are JSON numbers where those can hold them, else text. A body is
Base64 in msg_body, and, where it is UTF-8, text in msg_body_text.

Examples:
  $ mics events tail --tenant acme
  $ mics events tail --tenant acme --since 10m --type SINGLE_CHAT_MSG,GROUP_CHAT_MSG
  $ mics events tail --tenant acme --from-beginning --no-follow --format json | jq -r .user_id | sort | uniq -c
  $ mics events tail --tenant acme --brokers kafka-1:9092 --secret-file acme.secret --bodies --limit 10`)
    .action(async (options: TailOptions) => {
      try {
        await tail(process.env, options)
      } catch (error) {
        fail(error)
      }
    })
}

/** Shared by the commands that print events. */
export function formatOption (): Option {
  return new Option('--format <format>', 'how to print; default: table in a terminal, else json').choices(['json', 'table'])
}

export function defaultFormat (): EventFormat {
  return process.stdout.isTTY ? 'table' : 'json'
}

async function tail (env: NodeJS.ProcessEnv, options: TailOptions): Promise<void> {
  const { fromBeginning, bodies = false, dlq = false, format = defaultFormat(), limit = Infinity, wait } = options
  const source = await eventsSource(env, options)
  const describing = { secrets: secretsOf(env, source.config, options), bodies }
  const topic = dlq ? source.deadLetterTopic : source.eventTopic
  const lines = format === 'json' ? jsonLines : tableLines({ bodies, deadLetters: dlq })
  const output = new LineOutput(process.stdout)
  const reader = await source.open(topic)
  const signal = AbortSignal.any([stopSignal(), output.closed])
  endSoonAfter(signal)
  try {
    const found = await boundsOf(reader, topic, adviceOn(options), { wait, signal })
    if (found === undefined) return
    const ranges = await rangesOf(reader, found.bounds, {
      ...options,
      // What it was created for is in it by now.
      fromBeginning: fromBeginning || found.waited,
    })
    for (const line of lines.head()) await output.write(line)
    let [count, isHinted] = [0, describing.secrets.length === 0]
    for await (const records of reader.read(ranges, signal)) {
      for (const record of records) {
        const described = describeRecord(record, describing)
        if (!isWanted(described, options)) continue
        if (!isHinted && described.event?.signature === 'bad') {
          isHinted = true
          process.stderr.write('warning: a signature does not hold; where the auth hook gives a tenant_secret, say it with --secret-file\n')
        }
        await output.write(lines.line(described))
        if (++count >= limit || signal.aborted) return
      }
    }
  } finally {
    await reader.close()
  }
}

/** Where the topic is missing. */
function adviceOn ({ tenant, dlq }: TailOptions): string {
  const first = dlq ? 'the first dead letter' : 'the first event'
  return `with KAFKA_CREATE_TOPICS the gateway creates it for ${first}, else it is for you to create; --wait waits for ` +
    `it; is ${JSON.stringify(tenant)} the tenant's id?`
}

async function rangesOf (
  reader: TopicReader, bounds: readonly PartitionBounds[], { fromBeginning, since, follow }: TailOptions
): Promise<PartitionRange[]> {
  const offsets = since === undefined ? undefined : await reader.offsetsSince(bounds, since)
  return bounds.map(({ partition, low, high }) => {
    const from = fromBeginning ? low : offsets?.get(partition) ?? high
    return { partition, from, to: follow ? Infinity : high }
  })
}

function isWanted ({ event }: EventDescription, { type }: TailOptions): boolean {
  return type === undefined || (event !== undefined && type.includes(event.event_type))
}

function parseTypes (text: string, earlier: string[] = []): string[] {
  const names = text.split(',').map(name => name.trim().toUpperCase())
  if (!names.every(name => types.includes(name))) throw new InvalidArgumentError(`It takes ${types.join(', ')}.`)
  return [...earlier, ...names]
}
