import { readFileSync } from 'node:fs'
import t from 'tap'
import { mics } from './run.js'

const eventsCommands = ['events', 'events tail', 'events dlq', 'events dlq list', 'events dlq replay']

t.test('every command has help with examples', async t => {
  for (const command of ['', 'dev', 'start', 'config', 'config check', 'hook', 'hook mock', 'hook doctor', 'mock', 'client', 'load', 'trace-message', ...eventsCommands]) {
    const { stdout, stderr, exitCode } = await mics([...command.split(' ').filter(Boolean), '--help'])
    t.equal(exitCode, 0, command)
    t.match(stdout, `Usage: mics ${command}`.trim())
    t.match(stdout, /Examples:\n {2}\$ /)
    t.equal(stderr, '')
  }
})

t.test('the version is the package\'s', async t => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  for (const flag of ['--version', '-V', '-v']) {
    t.match(await mics([flag]), { stdout: `${version}\n`, stderr: '', exitCode: 0 }, flag)
  }
})

t.test('an unknown command is an error that points to the help', async t => {
  const { stderr, exitCode } = await mics(['strat'])
  t.match(stderr, /unknown command 'strat'.*--help/s)
  t.equal(exitCode, 1)
})

t.test('so is anything else that a command does not take', async t => {
  const wrong: [string[], RegExp][] = [
    [['start', 'extra'], /too many arguments/],
    [['dev', 'extra'], /too many arguments/],
    [['dev', '--nodes', '0'], /It takes a whole number from 1 to 9/],
    [['dev', '--nodes', '10'], /It takes a whole number from 1 to 9/],
    [['dev', '--nodes', 'two'], /It takes a whole number from 1 to 9/],
    [['config', 'check', '--josn'], /unknown option '--josn'/],
    [['hook', 'mock', '--port', 'x'], /It takes a whole number/],
    [['trace-message', '-t', 'acme'], /required option '-m, --msg <id>' not specified/],
    [['trace-message', '-t', 'acme', '-m', '1', '--node', 'gateway-1'], /It takes a URL such as/],
    [['events', 'tail'], /required option '-t, --tenant <id>' not specified/],
    [['events', 'tail', '-t', 'acme', '--since', 'yesterday'], /It takes how long ago, such as/],
    [['events', 'tail', '-t', 'acme', '--since', '1h', '--from-beginning'], /cannot be used with option '--since/],
    [['events', 'tail', '-t', 'acme', '--limit', '0'], /It takes a whole number from 1/],
    [['events', 'dlq', 'list', '-t', 'acme', '--format', 'xml'], /Allowed choices are json, table/],
    [['events', 'dlq', 'replay', '-t', 'acme', '--rate', '-1'], /It takes a whole number from 1/],
  ]
  for (const [args, problem] of wrong) {
    const { stderr, exitCode } = await mics(args)
    t.match(stderr, problem, args.join(' '))
    t.match(stderr, '(--help shows what is possible)', args.join(' '))
    t.equal(exitCode, 1)
  }
})
