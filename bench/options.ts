import { parseArgs } from 'node:util'
import type { Shape } from './shapes/shape.js'

export interface Options {
  shapes: readonly Shape[]
  rounds: number
  seconds: number
  isShort: boolean
  /** Into the documentation, too. */
  write: boolean
  /** No measuring: the report is made from this file. */
  from?: string
}

/** A mistake in the arguments; the message says what to do. */
export class UsageError extends Error {}

export function help (shapes: readonly Shape[]): string {
  const width = Math.max(...shapes.map(({ name }) => name.length))
  const lines = shapes.map(({ name, title, isExtra }) => (
    `  ${name.padEnd(width)}  ${title}${isExtra ? ' (only with --only)' : ''}`
  ))
  return `npm run bench -- [options]

Measures the gateway beside a Socket.IO server, on this machine, and prints a table of ratios.

  --only <shape,shape>  only these shapes of load
  --rounds <n>          how often each is measured, in turn (3)
  --seconds <n>         how long each is measured, after a second of warming up (3)
  --short               each for a moment, with small numbers: does it work at all?
  --write               puts the results into bench/results/latest.json and docs/performance.md, too
  --from <file>         measures nothing; makes the table, with --write the page, from a file of bench/results/
  --help

Shapes:
${lines.join('\n')}
`
}

/** Undefined: help was asked for. Throws a UsageError. */
export function readOptions (args: readonly string[], shapes: readonly Shape[]): Options | undefined {
  const values = parse(args)
  if (values.help === true) return undefined
  const isShort = values.short === true
  const options = {
    shapes: chosen(values.only, shapes, isShort),
    rounds: positive('rounds', values.rounds, isShort ? 1 : 3),
    seconds: positive('seconds', values.seconds, isShort ? 0.5 : 3),
    isShort,
    write: values.write === true,
    from: values.from,
  }
  if (!Number.isInteger(options.rounds)) throw new UsageError('--rounds takes a whole number')
  if (options.write && isShort) throw new UsageError('--write is for results that mean something: leave --short away')
  if (options.write && values.only !== undefined) throw new UsageError('--write is for a whole run: leave --only away')
  return options
}

function parse (args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        short: { type: 'boolean' },
        write: { type: 'boolean' },
        from: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

function chosen (only: string | undefined, shapes: readonly Shape[], isShort: boolean): Shape[] {
  if (only === undefined) return shapes.filter(({ isExtra, isLong }) => !isExtra && !(isShort && isLong))
  return only.split(',').map(name => {
    const shape = shapes.find(shape => shape.name === name)
    if (shape !== undefined) return shape
    const names = shapes.map(({ name }) => name).join(', ')
    throw new UsageError(`there is no shape "${name}": it is one of ${names}`)
  })
}

function positive (option: string, text: string | undefined, standard: number): number {
  if (text === undefined) return standard
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new UsageError(`--${option} takes a number above 0, not "${text}"`)
  return value
}
