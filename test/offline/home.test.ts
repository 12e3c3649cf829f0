import t from 'tap'
import type { Member } from '../../lib/node-directory/node-directory.js'
import { homeOf } from '../../lib/offline/home.js'

function members (...nodeIds: string[]): Member[] {
  return nodeIds.map(nodeId => ({ key: `${nodeId}#1`, nodeId, incarnation: 1, endpoint: '', isDraining: false }))
}

const users = Array.from({ length: 3000 }, (_, i) => `user${i}`)

function homes (of: Member[]): Array<string | undefined> {
  return users.map(user => homeOf(of, 't1', user)?.nodeId)
}

t.test('it is the same in whatever order the members come', async t => {
  t.strictSame(homes(members('c', 'a', 'b')), homes(members('a', 'b', 'c')))
})

t.test('every member is the home of about as many', async t => {
  const counts = new Map<string | undefined, number>()
  for (const home of homes(members('node-1', 'node-2', 'node-3'))) counts.set(home, (counts.get(home) ?? 0) + 1)
  t.equal(counts.size, 3)
  for (const [home, count] of counts) t.ok(count > 800 && count < 1200, `${home}: ${count}`)
})

t.test('when a member goes only its own users move', async t => {
  const before = homes(members('a', 'b', 'c'))
  const after = homes(members('a', 'c'))
  t.strictSame(after.filter((_, i) => before[i] !== 'b'), before.filter(home => home !== 'b'))
})

t.test('a node that comes back is the home of the same users', async t => {
  const again = members('a', 'b', 'c').map(member => ({ ...member, key: `${member.nodeId}#2`, incarnation: 2 }))
  t.strictSame(homes(again), homes(members('a', 'b', 'c')))
})

t.test('a draining member is nobody\'s home, unless it is the only one', async t => {
  const [a, b] = members('a', 'b')
  const draining = { ...a, isDraining: true }
  t.strictSame(new Set(homes([draining, b])), new Set(['b']))
  t.strictSame(new Set(homes([draining])), new Set(['a']))
  t.equal(homeOf([], 't1', 'bob'), undefined)
})
