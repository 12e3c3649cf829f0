/** The other node of the forward benchmark: has a device for everybody. Prints its URL as its first line. */
import { PeerServer } from '../../lib/cluster/peer-server.js'
import { directory, LIMITS, member, service, TOKEN } from './two-nodes.js'

const server = new PeerServer({
  ...LIMITS,
  tokens: [TOKEN],
  directory: directory(member('b', ''), member('a', '')),
  service,
  tracer: { answer: async () => { throw new Error('not asked here') } },
})
console.log(`http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`)
