import t from 'tap'
import { editDistance } from '../../lib/config/edit-distance.js'
import { environmentVariables } from '../../lib/config/environment.js'
import { suspiciousVariables } from '../../lib/config/suspicious-variables.js'

t.test('a misspelled variable is pointed out', async t => {
  t.strictSame(suspiciousVariables({ REDIS_ULR: 'x', KAFKA_BROKER: 'x', OFFLINE_BUFFER_MAX_BYTE: '1' }), [
    'REDIS_ULR is set but means nothing here; did you mean REDIS_URL?',
    'KAFKA_BROKER is set but means nothing here; did you mean KAFKA_BROKERS?',
    'OFFLINE_BUFFER_MAX_BYTE is set but means nothing here; did you mean OFFLINE_BUFFER_MAX_BYTES?',
  ])
})

t.test('our own variables are not', async t => {
  t.strictSame(suspiciousVariables(Object.fromEntries(environmentVariables.map(({ name }) => [name, 'x']))), [])
})

t.test("nor are other people's, or empty ones", async t => {
  const names = [
    'PATH', 'HOME', 'HOSTNAME', 'NODE_ENV', 'NODE_OPTIONS', 'NODE_PATH', 'NODE_IP',
    'REDIS_PORT', 'REDIS_SERVICE_HOST', 'KAFKA_SERVICE_PORT', 'LOG_FILE', 'XPORT',
  ]
  t.strictSame(suspiciousVariables(Object.fromEntries(names.map(name => [name, 'x']))), [])
  t.strictSame(suspiciousVariables({ REDIS_ULR: '' }), [])
})

t.test('the distance counts insertions, removals and replacements', async t => {
  t.equal(editDistance('', 'abc'), 3)
  t.equal(editDistance('abc', 'abc'), 0)
  t.equal(editDistance('kitten', 'sitting'), 3)
  t.equal(editDistance('ulr', 'url'), 2)
})
