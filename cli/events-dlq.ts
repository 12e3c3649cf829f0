import { Command } from 'commander'
import { describeRecord } from '../lib/mq/event-description.js'
import { DeadLetterReplay, ReplayStoppedError, type ReplayCounts, type ReplayPlan } from '../lib/mq/kafka/dead-letter-replay.js'
import { KafkaEventTransport } from '../lib/mq/kafka/kafka-event-transport.js'
import { jsonLines, tableLines, type EventFormat } from './event-lines.js'
import {
  boundsOf, endSoonAfter, eventsSource, parseCount, secretsOf, stopSignal, withEventsOptions, withSecretOption,
  type EventsOptions, type EventsSource, type SecretOptions,
} from './events-source.js'
import { defaultFormat, formatOption } from './events-tail.js'
import { CommandError, exitFailure, fail } from './failure.js'
import { LineOutput } from './line-output.js'
import { ProgressBar } from './progress-bar.js'
import { parseSince, sinceTakes } from './since.js'

interface ListOptions extends EventsOptions, SecretOptions {
  since?: number
  format?: EventFormat
  bodies?: boolean
}

interface ReplayCommandOptions extends EventsOptions {
  since?: number
  dryRun?: boolean
  rate?: number
  again?: boolean
  skipFailed?: boolean
}

export function dlqCommand (): Command {
  return new Command('dlq')
    .description("a tenant's dead letters: events that its topic did not take")
    .addCommand(listCommand())
    .addCommand(replayCommand())
    .addHelpText('after', `
Examples:
  $ mics events dlq list --tenant acme
  $ mics events dlq replay --tenant acme --dry-run`)
}

function listCommand (): Command {
  return withSecretOption(withEventsOptions(new Command('list')))
    .description('print the dead letters that there are, and how many there are for each reason')
    .option('--since <time>', `only those of ${sinceTakes}`, text => parseSince(text))
    .addOption(formatOption())
    .option('--bodies', 'print the bodies of messages, and not only their sizes')
    .addHelpText('after', `
Those that were replayed are among them: they stay in the topic for as long as it keeps records. The sums go to stderr,
so that what is piped is dead letters only.

Examples:
  $ mics events dlq list --tenant acme
  $ mics events dlq list --tenant acme --since 1d --format json | jq .dead_letter`)
    .action(async (options: ListOptions) => {
      try {
        await list(process.env, options)
      } catch (error) {
        fail(error)
      }
    })
}

function replayCommand (): Command {
  return withEventsOptions(new Command('replay'))
    .description("publish the dead letters once more, to the tenant's topic of events")
    .option('--since <time>', `pass over, for good, what is older than ${sinceTakes}`, text => parseSince(text))
    .option('--dry-run', 'only count what there is to replay')
    .option('--rate <number>', 'at most so many a second', parseCount)
    .option('--again', 'start over, with those that were replayed earlier too')
    .option('--skip-failed', 'go on after an event that the topic refuses for ever, such as one that is too large')
    .addHelpText('after', `
Mend first what made them dead letters: \`mics events dlq list\` says what it was. Value and key stay as they are, so
signatures hold; the headers mics-dlq-* go, and mics-replayed-at comes. Those of one conversation stay in order. It ends
with the dead letter that was the last when it began.

How far it came is kept in Kafka, as the offsets of the group mics-dlq-replay-<topic>, and only after Kafka has stored
what was published. So a replay that was interrupted goes on where it stopped, with up to 100 events published twice;
consumers must expect that of any event. Kafka forgets the offsets a week after the last replay, unless
offsets.retention.minutes says otherwise: where the topic keeps records longer, use --since. Run one at a time.

An event that cannot be published ends the replay, and it and what is behind it in its partition is for the next one.
With --skip-failed one that the topic refuses for ever is counted and passed over. Dead letters without their data
(mics-dlq-truncated) are of no use to consumers: they are counted and passed over.

Exit codes: 0 where all were replayed or passed over, 1 where one failed, or it was interrupted.

Examples:
  $ mics events dlq replay --tenant acme --dry-run
  $ mics events dlq replay --tenant acme
  $ mics events dlq replay --tenant acme --since 2h --rate 200`)
    .action(async (options: ReplayCommandOptions) => {
      try {
        await replay(process.env, options)
      } catch (error) {
        fail(error)
      }
    })
}

async function list (env: NodeJS.ProcessEnv, options: ListOptions): Promise<void> {
  const { since, bodies = false, format = defaultFormat() } = options
  const source = await eventsSource(env, options)
  const describing = { secrets: secretsOf(env, source.config, options), bodies }
  const lines = format === 'json' ? jsonLines : tableLines({ bodies, deadLetters: true })
  const output = new LineOutput(process.stdout)
  const reader = await source.open(source.deadLetterTopic)
  const signal = AbortSignal.any([stopSignal(), output.closed])
  endSoonAfter(signal)
  const reasons = new Map<string, number>()
  try {
    const found = await boundsOf(reader, source.deadLetterTopic, adviceOn(options), { signal })
    if (found === undefined) return
    const offsets = since === undefined ? undefined : await reader.offsetsSince(found.bounds, since)
    const ranges = found.bounds.map(({ partition, low, high }) =>
      ({ partition, from: offsets?.get(partition) ?? low, to: high }))
    for (const line of lines.head()) await output.write(line)
    for await (const records of reader.read(ranges, signal)) {
      for (const record of records) {
        const described = describeRecord(record, describing)
        const reason = described.dead_letter?.reason ?? 'not a dead letter'
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        await output.write(lines.line(described))
      }
    }
  } finally {
    await reader.close()
  }
  if (!output.closed.aborted) process.stderr.write(summaryOf(reasons))
}

/** How many of each reason, the most frequent first. */
function summaryOf (reasons: ReadonlyMap<string, number>): string {
  if (reasons.size === 0) return 'no dead letters\n'
  const rows = [...reasons].toSorted(([, one], [, other]) => other - one)
  const total = rows.reduce((sum, [, count]) => sum + count, 0)
  return counted([['dead letters', total], ...rows.map(([reason, count]): [string, number] => [`  ${reason}`, count])])
}

async function replay (env: NodeJS.ProcessEnv, options: ReplayCommandOptions): Promise<void> {
  const { since: sinceMs, again, dryRun = false } = options
  const source = await eventsSource(env, options)
  const { deadLetterTopic } = source
  const reader = await source.open(deadLetterTopic, `mics-dlq-replay-${deadLetterTopic}`)
  try {
    await boundsOf(reader, deadLetterTopic, adviceOn(options))
    const transport = await KafkaEventTransport.open(source.config)
    try {
      const replay = new DeadLetterReplay(reader, transport, source.eventTopic)
      const plan = await replay.plan({ sinceMs, again })
      const signal = stopSignal()
      const counts = await runToItsEnd(replay, plan, source, options, signal)
      process.stdout.write(resultOf(counts, plan, dryRun))
      const isInterrupted = signal.aborted && sumOf(counts) < plan.total
      if (isInterrupted) process.stderr.write('interrupted: the next replay goes on here\n')
      if (isInterrupted || counts.failed > 0) process.exitCode = exitFailure
    } finally {
      await transport.close()
    }
  } finally {
    await reader.close()
  }
}

async function runToItsEnd (
  replay: DeadLetterReplay, plan: ReplayPlan, { eventTopic }: EventsSource, options: ReplayCommandOptions,
  signal: AbortSignal
): Promise<ReplayCounts> {
  const { dryRun, rate, skipFailed } = options
  const bar = new ProgressBar(process.stderr, plan.total)
  try {
    return await replay.run(plan, {
      dryRun,
      rate,
      skipFailed,
      signal,
      onProgress: counts => bar.update(sumOf(counts)),
      onFailed: ({ partition, offset }, { reason, message }) => {
        bar.end()
        process.stderr.write(`failed: partition ${partition}, offset ${offset}: ${reason}: ${message}\n`)
      },
    })
  } catch (error) {
    if (!(error instanceof ReplayStoppedError)) throw error
    bar.end()
    process.stdout.write(resultOf(error.counts, plan, false))
    const isItsOwn = error.error.fault === 'event'
    throw new CommandError(error.code, `the replay stopped at it: ${isItsOwn
      ? `let ${eventTopic} take it (max.message.bytes, for one that is too large), or pass over it with --skip-failed`
      : `${eventTopic} takes no events now; mend that`}, and run the replay again: it goes on here`)
  } finally {
    bar.end()
  }
}

function resultOf (counts: ReplayCounts, { earlier, older }: ReplayPlan, dryRun: boolean): string {
  return counted([
    [dryRun ? 'to replay' : 'replayed', counts.replayed],
    ['passed over, without their data', counts.truncated],
    ['passed over, older than --since', older],
    ['failed', counts.failed],
    ['done by an earlier replay', earlier],
  ])
}

function sumOf ({ replayed, truncated, failed }: ReplayCounts): number {
  return replayed + truncated + failed
}

function counted (rows: Array<[name: string, count: number]>): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  const digits = Math.max(...rows.map(([, count]) => String(count).length))
  return rows.map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(digits)}\n`).join('')
}

/** Where the topic is missing. */
function adviceOn ({ tenant }: EventsOptions): string {
  return `where KAFKA_CREATE_TOPICS is set, the gateway creates it for the first dead letter, so there may be none; is ${JSON.stringify(tenant)} the tenant's id?`
}
