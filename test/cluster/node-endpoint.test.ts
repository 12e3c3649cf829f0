import type { NetworkInterfaceInfo } from 'node:os'
import t from 'tap'
import { nodeEndpoint } from '../../lib/cluster/node-endpoint.js'

function address (address: string, internal = false): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal, cidr: null }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}

const LOOPBACK = { lo: [address('127.0.0.1', true), address('::1', true)] }
const BOTH = { ...LOOPBACK, eth0: [address('fd00::5'), address('10.0.0.5')], eth1: [address('10.1.0.5')] }

t.test('PUBLIC_ENDPOINT goes before all else', async t => {
  t.equal(nodeEndpoint({ publicEndpoint: 'https://node-1:443', host: '10.9.9.9' }, 8081, BOTH), 'https://node-1:443')
})

t.test('a host that the node listens on is where it is reached', async t => {
  t.equal(nodeEndpoint({ publicEndpoint: '', host: '127.0.0.1' }, 8081, BOTH), 'http://127.0.0.1:8081')
  t.equal(nodeEndpoint({ publicEndpoint: '', host: 'node-1.internal' }, 8081, {}), 'http://node-1.internal:8081')
  t.equal(nodeEndpoint({ publicEndpoint: '', host: '::1' }, 8081, BOTH), 'http://[::1]:8081')
})

for (const host of ['0.0.0.0', '::']) {
  t.test(`listening on ${host} it is reached at the first outward address, IPv4 before IPv6`, async t => {
    t.equal(nodeEndpoint({ publicEndpoint: '', host }, 8081, BOTH), 'http://10.0.0.5:8081')
    const ipv6 = { ...LOOPBACK, eth0: [address('fd00::5')] }
    t.equal(nodeEndpoint({ publicEndpoint: '', host }, 8081, ipv6), 'http://[fd00::5]:8081')
  })

  t.test(`listening on ${host} of a machine without an outward address it is reached on the machine`, async t => {
    t.equal(nodeEndpoint({ publicEndpoint: '', host }, 8081, LOOPBACK), 'http://127.0.0.1:8081')
    t.equal(nodeEndpoint({ publicEndpoint: '', host }, 8081, { eth0: undefined }), 'http://127.0.0.1:8081')
  })
}
