import t from 'tap'
import { refuseConnection } from '../../lib/admission/admission.js'
import type { TenantSettings } from '../../lib/config/gateway-config.js'
import { Connections } from '../../lib/connections/connections.js'
import { fakeSession } from '../connections/fake-session.js'

function settings (tenantMaxConnections: number, userMaxConnections: number): TenantSettings {
  return { tenantMaxConnections, userMaxConnections } as TenantSettings
}

/** alice is here with two devices, bob with one; and somebody of another tenant. */
function connections (): Connections {
  const connections = new Connections()
  connections.add(fakeSession('t1', 'alice', 'phone'))
  connections.add(fakeSession('t1', 'alice', 'laptop'))
  connections.add(fakeSession('t1', 'bob', 'phone'))
  connections.add(fakeSession('t2', 'alice', 'watch'))
  return connections
}

t.test('without limits everybody is let in', async t => {
  t.equal(refuseConnection(connections(), 't1', 'alice', 'watch', settings(0, 0)), undefined)
})

t.test('a limit counts those who are here, and holds from the next one on', async t => {
  t.equal(refuseConnection(connections(), 't1', 'carol', 'phone', settings(4, 0)), undefined)
  t.equal(refuseConnection(connections(), 't1', 'carol', 'phone', settings(3, 0)), 'tenant_connections')
  t.equal(refuseConnection(connections(), 't1', 'carol', 'phone', settings(2, 0)), 'tenant_connections', 'a limit that was lowered')
  t.equal(refuseConnection(connections(), 't1', 'alice', 'watch', settings(0, 3)), undefined)
  t.equal(refuseConnection(connections(), 't1', 'alice', 'watch', settings(0, 2)), 'user_connections')
  t.equal(refuseConnection(connections(), 't1', 'bob', 'watch', settings(0, 2)), undefined)
})

t.test("the tenant's limit is the one named where both are reached", async t => {
  t.equal(refuseConnection(connections(), 't1', 'alice', 'watch', settings(3, 2)), 'tenant_connections')
})

t.test('a device that is here already takes its own place again', async t => {
  t.equal(refuseConnection(connections(), 't1', 'alice', 'phone', settings(1, 1)), undefined)
  t.equal(refuseConnection(connections(), 't1', 'bob', 'laptop', settings(1, 1)), 'tenant_connections', "another user's device of that name does not")
  t.equal(refuseConnection(connections(), 't2', 'alice', 'phone', settings(1, 0)), 'tenant_connections', "nor another tenant's")
})
