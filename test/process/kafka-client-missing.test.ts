import t from 'tap'
import { MicsProcess } from './mics-process.js'

const CLIENT = '@confluentinc/kafka-javascript'

/** For NODE_OPTIONS: what imports the Kafka client finds what `resolve` says. */
function whereClientIs (resolve: string): string {
  const hooks = `export const resolve = async (name, context, next) => name === '${CLIENT}' ? ${resolve} : next(name, context)`
  const setup = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))})`
  return `--import ${dataUrl(setup)}`
}

function dataUrl (source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}

async function startWith (t: Parameters<typeof MicsProcess.start>[0], resolve: string): Promise<MicsProcess> {
  const mics = MicsProcess.start(t, ['start'], {
    TENANT_AUTH_MAP: 't1=http://127.0.0.1:1',
    KAFKA_BROKERS: '127.0.0.1:1',
    NODE_OPTIONS: whereClientIs(resolve),
  })
  t.equal(await mics.ended, 1)
  return mics
}

t.test('start with Kafka and without its client exits 1, and says in one line how to install it', async t => {
  const { stderr } = await startWith(t, "next(name, { ...context, parentURL: 'file:///elsewhere/app.js' })")
  t.match(stderr, new RegExp(`^events need the Kafka client ${CLIENT}, which is not installed: run \`npm install ${CLIENT}\`; .*\`npm run kafka:client\` builds it\\n$`))
})

t.test('start with a client that cannot be loaded exits 1, and says in one line why', async t => {
  const broken = dataUrl("throw new Error('librdkafka.so.1: cannot open shared object file\\nTried: a, b')")
  const { stderr } = await startWith(t, `({ url: ${JSON.stringify(broken)}, shortCircuit: true })`)
  t.match(stderr, /^events need the Kafka client .*, which is installed, and cannot be loaded \(librdkafka\.so\.1: cannot open shared object file\): run [^\n]*\n$/)
})
