import t from 'tap'
import { MemoryTenantPlaces } from '../../lib/admission/memory-tenant-places.js'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { tenantPlacesContract } from './tenant-places-contract.js'

const store = new MemoryStore()

await tenantPlacesContract(t, async (_t, directories) => ({
  places: directories.map(directory => new MemoryTenantPlaces(store, directory)),
  stored: async tenantId => Object.fromEntries(store.connections.get(tenantId) ?? []),
}))

t.test('a tenant without connections is no entry', async t => {
  const store = new MemoryStore()
  const directory = { self: { key: 'a#1' } as never, members: () => [] }
  const places = new MemoryTenantPlaces(store, directory)
  places.take('t1', 0)
  t.equal(store.connections.size, 1)
  places.release('t1')
  t.equal(store.connections.size, 0)
})
