import t from 'tap'
import { help, readOptions, UsageError } from '../../bench/options.js'
import { shapes } from '../../bench/shapes/all.js'

t.test('a whole run has three rounds, without what takes long', async t => {
  const options = readOptions([], shapes)
  t.match(options, { rounds: 3, seconds: 3, isShort: false, write: false })
  t.notOk(options?.shapes.some(({ isExtra }) => isExtra))
})

t.test('a short run has one round, without Kafka and Redis', async t => {
  const options = readOptions(['--short'], shapes)
  t.match(options, { rounds: 1, isShort: true })
  t.notOk(options?.shapes.some(({ name }) => ['kafka', 'nodes'].includes(name)))
})

t.test('only what is asked for runs', async t => {
  t.same(readOptions(['--only', 'idle-100k,pair'], shapes)?.shapes.map(({ name }) => name), ['idle-100k', 'pair'])
})

t.test('a mistake says what to do', async t => {
  for (const [args, message] of [
    [['--only', 'pears'], /no shape "pears": it is one of pair, /],
    [['--rounds', '0'], /--rounds takes a number above 0, not "0"/],
    [['--rounds', '1.5'], /--rounds takes a whole number/],
    [['--seconds', 'many'], /--seconds takes a number above 0, not "many"/],
    [['--short', '--write'], /leave --short away/],
    [['--only', 'pair', '--write'], /leave --only away/],
    [['--fast'], /--fast/],
  ] as const) {
    t.throws(() => readOptions(args, shapes), { constructor: UsageError, message }, args.join(' '))
  }
})

t.test('help names every shape', async t => {
  t.equal(readOptions(['--help'], shapes), undefined)
  for (const { name, title } of shapes) t.match(help(shapes), new RegExp(`  ${name} +${title}`))
})
