import t from 'tap'
import { ConfigError } from '../../lib/config/config-error.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { availableCores } from '../../lib/workers/available-cores.js'
import { workerCount } from '../../lib/workers/worker-count.js'
import { workerHeapArguments } from '../../lib/workers/worker-heap.js'
import { workerVariables } from '../../lib/workers/worker-variables.js'

const CLUSTER = { TENANT_AUTH_MAP: 'acme=http://hooks.acme.example', REDIS_URL: 'redis:6379', CLUSTER_GRPC_TOKEN: 'x' }

function problems (env: NodeJS.ProcessEnv, options = {}): string[] {
  try {
    loadConfig(env, { hostname: 'host-1', ...options })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message)
    throw error
  }
  return []
}

t.test('auto is a worker for each core, and no more than may be', async t => {
  t.equal(workerCount('auto', 6), 6)
  t.equal(workerCount('auto', 500), 128)
  t.equal(workerCount('3', 6), 3)
})

t.test('of cores count those of the machine that the limit of the container leaves', async t => {
  const files = (contents: Record<string, string>) => (path: string): string => {
    if (contents[path] === undefined) throw new Error('no such file')
    return contents[path]
  }
  t.equal(availableCores(8, files({})), 8)
  t.equal(availableCores(8, files({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' })), 8)
  t.equal(availableCores(8, files({ '/sys/fs/cgroup/cpu.max': '250000 100000\n' })), 2)
  t.equal(availableCores(8, files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' })), 1)
  t.equal(availableCores(2, files({ '/sys/fs/cgroup/cpu.max': '800000 100000\n' })), 2)
  const v1 = (quota: string): Record<string, string> =>
    ({ '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': quota, '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' })
  t.equal(availableCores(8, files(v1('-1\n'))), 8)
  t.equal(availableCores(8, files(v1('300000\n'))), 3)
})

t.test('several workers need Redis, one does not, and mics dev has none', async t => {
  const alone = { TENANT_AUTH_MAP: CLUSTER.TENANT_AUTH_MAP }
  t.match(problems({ ...alone, WORKERS: '2' }), [/^WORKERS: 2 workers are as many nodes .*; set REDIS_URL and CLUSTER_GRPC_TOKEN, or unset WORKERS$/])
  t.match(problems({ ...alone, WORKERS: 'auto' }, { cores: 4 }), [/^WORKERS: auto is 4 workers on this machine/])
  t.same(problems({ ...alone, WORKERS: 'auto' }, { cores: 1 }), [])
  t.same(problems({ ...alone, WORKERS: '1' }), [])
  t.same(problems({ WORKERS: '4' }, { embedded: true }), [])
  t.same(problems({ ...CLUSTER, WORKERS: '4' }), [])
})

t.test('ports that several workers cannot have are refused before anything starts', async t => {
  const of = (env: NodeJS.ProcessEnv): string[] => problems({ ...CLUSTER, WORKERS: '4', ...env })
  t.match(of({ NODE_PORT: '65533' }), [/^NODE_PORT: 4 workers take the ports 65533 to 65536, and 65535 is the last/])
  t.match(of({ PORT: '8083' }), [/^NODE_PORT: 4 workers take the ports 8081 to 8084, and PORT is 8083; choose a NODE_PORT above PORT, or below it by 4/])
  t.same(of({ PORT: '8085' }), [])
  t.match(of({ PUBLIC_ENDPOINT: 'http://gw.example' }), [/^PUBLIC_ENDPOINT: .* it names none; end it with the port of the first, such as/])
  t.match(of({ PUBLIC_ENDPOINT: 'http://gw.example:65533' }), [/^PUBLIC_ENDPOINT: .* 65533 to 65536/])
  t.match(of({ PUBLIC_ENDPOINT: 'http://gw.example:8081', NODE_PORT: '0' }), [/^PUBLIC_ENDPOINT: NODE_PORT is 0/])
  t.match(of({ NODE_ID: 'x'.repeat(127) }), [/^NODE_ID: is too long .* at most 126 characters/])
  t.match(of({ PUBLIC_ENDPOINT: 'nonsense' }), [/^PUBLIC_ENDPOINT: is not a URL/])
})

t.test('each worker has a name, a port and an endpoint of its own', async t => {
  const config = { nodeId: 'gw', nodePort: 8081, publicEndpoint: 'http://10.0.0.11:9081' }
  t.strictSame(workerVariables(config, 1), { WORKERS: '1', NODE_ID: 'gw-1', NODE_PORT: '8081', PUBLIC_ENDPOINT: 'http://10.0.0.11:9081' })
  t.strictSame(workerVariables(config, 3), { WORKERS: '1', NODE_ID: 'gw-3', NODE_PORT: '8083', PUBLIC_ENDPOINT: 'http://10.0.0.11:9083' })
  t.strictSame(workerVariables({ ...config, publicEndpoint: 'https://[::1]:9081/mesh/' }, 2).PUBLIC_ENDPOINT, 'https://[::1]:9082/mesh/')
  t.strictSame(workerVariables({ nodeId: 'gw', nodePort: 0, publicEndpoint: '' }, 2), { WORKERS: '1', NODE_ID: 'gw-2', NODE_PORT: '0' })
})

t.test('heaps of workers share the memory of their container, unless the operator has set a bound', async t => {
  const GIB = 1024 ** 3
  const options = { workers: 4, memoryLimit: 4 * GIB, heapLimit: 2 * GIB, given: [''] }
  t.strictSame(workerHeapArguments(options), ['--max-old-space-size=768'])
  t.strictSame(workerHeapArguments({ ...options, memoryLimit: undefined }), [])
  t.strictSame(workerHeapArguments({ ...options, memoryLimit: 64 * GIB }), [], 'as much as each takes by itself')
  t.strictSame(workerHeapArguments({ ...options, given: ['--enable-source-maps --max-old-space-size=900'] }), [])
})
