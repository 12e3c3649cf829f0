import type { NetworkInterfaceInfo } from 'node:os'
import t from 'tap'
import { fromElsewhere } from '../../cli/dev.js'

const url = 'http://localhost:8080'
const warning = 'Anybody who reaches this port can sign in as anybody; --host 127.0.0.1 keeps it to this machine.'

function address (family: 'IPv4' | 'IPv6', address: string, internal: boolean): NetworkInterfaceInfo {
  const rest = { address, netmask: '', mac: '', internal, cidr: null }
  return family === 'IPv4' ? { family, ...rest } : { family, scopeid: 0, ...rest }
}

const loopback = [address('IPv4', '127.0.0.1', true), address('IPv6', '::1', true)]
const outward = [address('IPv6', 'fd00::2', false), address('IPv4', '192.0.2.7', false)]

t.test('on every address, dev says where a phone finds it and that anybody gets in', async t => {
  for (const host of ['0.0.0.0', '::']) {
    t.same(fromElsewhere(url, host, { lo: loopback, eth0: outward }), ['On your phone: http://192.0.2.7:8080', warning], host)
  }
})

t.test('a machine without an IPv4 address of its own has no line for the phone', async t => {
  t.same(fromElsewhere(url, '0.0.0.0', { lo: loopback, eth0: [outward[0]] }), [warning])
  t.same(fromElsewhere(url, '0.0.0.0', {}), [warning])
})

t.test('on one address there is nothing to say', async t => {
  for (const host of ['127.0.0.1', 'localhost', '::1', '192.0.2.7']) {
    t.same(fromElsewhere(url, host, { lo: loopback, eth0: outward }), [], host)
  }
})
