import type { Result } from '../report/result.js'
import { openFilesLimit } from '../process-usage.js'
import { connectionsLimit, rest } from './idle.js'
import { NotPossibleError, type Shape } from './shape.js'

const CONNECTIONS = 100_000
/** Three times the interval of the heartbeats: whoever is silent for that long would be disconnected. */
const SECONDS = 35

export const idle100k: Shape = {
  name: 'idle-100k',
  title: '100,000 connections with heartbeats on one process',
  isExtra: true,
  run: async (stage, effort) => {
    if (connectionsLimit(CONNECTIONS) !== undefined) {
      throw new NotPossibleError(`a process may have ${openFilesLimit().toLocaleString('en')} open files here (ulimit -Hn); it takes 100,300`)
    }
    const gateway = await stage.gateway()
    const [found] = await rest(await stage.generator(), gateway, [CONNECTIONS], { ...effort, seconds: SECONDS })
    const result: Result = {
      shape: 'idle-100k',
      name: `an idle connection, of ${CONNECTIONS.toLocaleString('en')}`,
      unit: 'KB of RSS',
      subject: { name: 'MICS', values: [found.kilobytesEach] },
      note: `none was lost in ${SECONDS} s; heartbeats take ${(found.cpu * 100).toFixed(0)} % of the core`,
    }
    return { results: [result] }
  },
}
