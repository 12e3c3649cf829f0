import type { Result } from '../report/result.js'
import { closedLoop, interleaved, type Load } from './closed-loop.js'
import type { Shape } from './shape.js'

/** Messages in flight to the group, each of another member. */
const SEVERAL = 8

const BODY_BYTES = 128

export const group: Shape = {
  name: 'group',
  title: 'messages to groups whose members are all online',
  run: async (stage, effort) => {
    const contestants = [await stage.gateway(), await stage.socketIo()]
    const sides = await Promise.all(contestants.map(async contestant => (
      { contestant, generator: await stage.generator() }
    )))
    const results: Result[] = []
    for (const members of effort.isShort ? [100] : [1000, 10_000]) {
      const crowd = `g${members}-`
      for (const { contestant: { place }, generator } of sides) {
        await generator.ask('open', { crowd, place, users: crowd, count: members })
      }
      for (const senders of [1, SEVERAL]) {
        const load: Load = {
          chat: { from: crowd, toGroup: `g${members}`, bodyBytes: BODY_BYTES, senders },
          window: 1,
          crowds: [crowd],
          per: 'deliveries',
        }
        const [subject, base] = await interleaved(sides.map(({ contestant, generator }) => ({
          name: contestant.name,
          run: async () => await closedLoop(generator, contestant, load, effort),
        })), effort.rounds)
        results.push({
          shape: 'group',
          name: `group of ${members.toLocaleString('en')}, ${senders} in flight`,
          unit: 'deliveries/s',
          subject,
          base,
          target: { of: 'ratio', atLeast: senders === 1 ? 1.5 : 3 },
        })
      }
      for (const { generator } of sides) await generator.ask('close', { crowd })
    }
    return { results }
  },
}
