import t from 'tap'
import { withRedis } from '../helpers/redis-server.js'
import { killUnderLoad, stopUnderLoad } from './node-faults.js'

t.test('a node is told to stop under load', async t => await stopUnderLoad(t, (await withRedis(t)).url))

t.test('a node is killed under load', async t => await killUnderLoad(t, (await withRedis(t)).url))
