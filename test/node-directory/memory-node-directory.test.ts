import t from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { MemoryNodeDirectory } from '../../lib/node-directory/memory-node-directory.js'
import { nodeDirectoryContract } from './contract.js'

nodeDirectoryContract(t, async t => {
  const store = new MemoryStore()
  return {
    node: async (nodeId, options) => {
      const node = new MemoryNodeDirectory(store, {
        nodeId, endpoint: () => `http://${nodeId}:8081`, leaseMs: 60_000, renewMs: 60_000, ...options,
      })
      t.teardown(() => node.close())
      return node
    },
  }
})

t.test('nodes with stores of their own do not know each other', async t => {
  const [a, b] = ['a', 'b'].map(nodeId =>
    new MemoryNodeDirectory(new MemoryStore(), { nodeId, endpoint: () => '', leaseMs: 60_000 }))
  await a.join()
  await b.join()
  await a.refresh()
  t.same(a.members(), [a.self])
  a.close()
  b.close()
})
