import t from 'tap'
import { Guide } from '../helpers/guide.js'
import { withKafka } from '../helpers/kafka-server.js'

t.test('the hook server guide runs as pasted, and prints what it says', async t => {
  const kafka = await withKafka(t)
  const broker = Number(kafka.brokers.split(':')[1])
  await Guide.follow(t, 'docs/guides/hook-server.md', {
    ports: ['8080', '8081', '9092'],
    given: { 9092: broker },
    instead: {
      'npm ci': ':', // the packages of the repository are there
      'docker run --rm -p 9092:9092 apache/kafka:4.0.0': ':', // another one runs
    },
    linked: ['@confluentinc/kafka-javascript', 'node-sqlite3-wasm'],
    // On a machine with much else to do a call may take more than its 150 ms.
    patient: /^MICS_TOKEN=.* mics (hook doctor|client .* --receive)/,
  })
})
