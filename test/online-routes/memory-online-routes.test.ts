import t from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { MemoryNodeDirectory } from '../../lib/node-directory/memory-node-directory.js'
import { MemoryOnlineRoutes } from '../../lib/online-routes/memory-online-routes.js'
import { onlineRoutesContract } from './contract.js'

onlineRoutesContract(t, async t => {
  const store = new MemoryStore()
  return {
    node: async (nodeId, options) => {
      const directory = new MemoryNodeDirectory(store, {
        nodeId, endpoint: () => `http://${nodeId}:8081`, leaseMs: 60_000, renewMs: 60_000, ...options,
      })
      t.teardown(() => directory.close())
      await directory.join()
      return {
        directory,
        routes: new MemoryOnlineRoutes(store, directory),
        get key () { return directory.self.key },
      }
    },
    leftovers: async () => store.users.size,
  }
})
