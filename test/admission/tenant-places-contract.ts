import { setImmediate } from 'node:timers/promises'
import type { Test } from 'tap'
import type { TenantPlaces } from '../../lib/admission/tenant-places.js'
import { fixedDirectories, type FixedDirectory } from '../helpers/fixed-directory.js'
import { until } from '../helpers/until.js'

export interface PlacesHome {
  /** The home of each member. */
  places: TenantPlaces[]
  /** What the store says of a tenant: places by member key. */
  stored: (tenantId: string) => Promise<Record<string, number>>
}

/** Makes the homes of members, on a store that others may use; they are closed when the test ends. */
export type OpenPlaces = (t: Test, directories: FixedDirectory[]) => Promise<PlacesHome>

let tenants = 0

/** What both homes of TenantPlaces promise. */
export async function tenantPlacesContract (t: Test, open: OpenPlaces): Promise<void> {
  /** Three members and a tenant of their own. */
  async function setup (t: Test) {
    const directories = fixedDirectories(3)
    return { ...await open(t, directories), directories, tenantId: `tenant${++tenants}` }
  }

  await t.test('places are given up to the limit, whichever member asks', async t => {
    const { places, stored, tenantId } = await setup(t)
    const [a, b, c] = places
    t.equal(await a.take(tenantId, 3), true)
    t.equal(await b.take(tenantId, 3), true)
    t.equal(await b.take(tenantId, 3), true)
    for (const each of places) t.equal(await each.take(tenantId, 3), false)
    t.same(await stored(tenantId), { 'node1#1': 1, 'node2#1': 2 })
    t.equal(await c.take(tenantId, 4), true, 'a limit that was raised counts at once')
    t.equal(await a.take(tenantId, 2), false, 'so does one that was lowered')
  })

  await t.test('a place that was given back may be taken by another member', async t => {
    const { places: [a, b], tenantId } = await setup(t)
    t.equal(await a.take(tenantId, 1), true)
    t.equal(await b.take(tenantId, 1), false)
    a.release(tenantId)
    await until('the other member gets it', async () => await b.take(tenantId, 1))
    t.equal(await a.take(tenantId, 1), false)
  })

  await t.test('of many that ask at once exactly as many as the limit get a place', async t => {
    const { places, stored, tenantId } = await setup(t)
    const asked = Array.from({ length: 30 }, async (_, i) => await places[i % 3].take(tenantId, 20))
    t.equal((await Promise.all(asked)).filter(Boolean).length, 20)
    t.equal(sum(await stored(tenantId)), 20)
  })

  await t.test('without a limit a place is given in any case, and counts', async t => {
    const { places: [a, b], stored, tenantId } = await setup(t)
    t.equal(await a.take(tenantId, 1), true)
    t.equal(await a.take(tenantId, 0), true)
    t.equal(await b.take(tenantId, 0), true)
    await until('all are counted', async () => sum(await stored(tenantId)) === 3)
    t.equal(await b.take(tenantId, 3), false)
    t.equal(await b.take(tenantId, 4), true)
  })

  await t.test('a place that is given back at once leaves nothing behind', async t => {
    const { places: [a, b], stored, tenantId } = await setup(t)
    a.take(tenantId, 0)
    a.release(tenantId)
    await setImmediate()
    t.same(await stored(tenantId), {})
    t.equal(await a.take(tenantId, 1), true)
    t.equal(await b.take(tenantId, 1), false)
  })

  await t.test('tenants are counted apart', async t => {
    const { places: [a, b], tenantId } = await setup(t)
    const other = `${tenantId}:other`
    t.equal(await a.take(tenantId, 1), true)
    t.equal(await b.take(other, 1), true)
    t.equal(await b.take(tenantId, 1), false)
    t.equal(await a.take(other, 1), false)
  })

  await t.test('a tenant without connections leaves nothing behind', async t => {
    const { places: [a, b], stored, tenantId } = await setup(t)
    for (const each of [a, b]) {
      each.take(tenantId, 0)
      t.equal(await each.take(tenantId, 10), true)
    }
    await until('all are counted', async () => sum(await stored(tenantId)) === 4)
    for (const each of [a, a, b, b]) each.release(tenantId)
    await until('nothing is left', async () => Object.keys(await stored(tenantId)).length === 0)
    a.release(tenantId)
    t.equal(await a.take(tenantId, 1), true, 'a place that was never taken cannot be given back')
    t.same(await stored(tenantId), { 'node1#1': 1 })
  })

  await t.test('what a dead member had does not count, and can be removed', async t => {
    const { places: [a, b, c], directories, stored, tenantId } = await setup(t)
    for (let i = 0; i < 5; i++) t.equal(await a.take(tenantId, 6), true)
    t.equal(await c.take(tenantId, 6), true)
    t.equal(await b.take(tenantId, 6), false)
    directories[0].die()
    for (let i = 0; i < 5; i++) t.equal(await b.take(tenantId, 6), true)
    t.equal(await b.take(tenantId, 6), false)
    await b.bury('node1#1', [tenantId, 'a tenant without connections'])
    t.same(await stored(tenantId), { 'node2#1': 5, 'node3#1': 1 })
  })

  await t.test('a member that joins again counts when it has said so, under its new name only', async t => {
    const { places: [a, b], directories, stored, tenantId } = await setup(t)
    const second = `${tenantId}:second`
    for (const id of [tenantId, second]) t.equal(await a.take(id, 2), true)
    directories[0].rejoin()
    await a.assert()
    t.same(await stored(tenantId), { 'node1#2': 1 })
    t.same(await stored(second), { 'node1#2': 1 })
    t.equal(await b.take(tenantId, 2), true)
    t.equal(await b.take(tenantId, 2), false)
    a.release(tenantId)
    await until('it is gone', async () => (await stored(tenantId))['node1#2'] === undefined)
    t.same(await stored(tenantId), { 'node2#1': 1 })
  })

  await t.test('after any order of taking and giving back the count is right', async t => {
    const { places, stored, tenantId } = await setup(t)
    const held = places.map(() => 0)
    let state = 7
    const random = (below: number): number => (state = state * 48271 % 2147483647) % below
    const answers: Array<Promise<void>> = []
    for (let step = 0; step < 400; step++) {
      const member = random(3)
      if (held[member] > 0 && random(2) === 0) {
        held[member]--
        places[member].release(tenantId)
      } else {
        answers.push(Promise.resolve(places[member].take(tenantId, random(8) === 0 ? 0 : 15))
          .then(isTaken => { if (isTaken) held[member]++ }))
      }
      if (random(5) === 0) await answers[random(answers.length)]
    }
    await Promise.all(answers)
    const expected = Object.fromEntries(held.map((count, i) => [`node${i + 1}#1`, count]).filter(([, count]) => count !== 0))
    t.ok(Object.keys(expected).length > 0)
    await until('the store knows', async () => {
      const found = await stored(tenantId)
      return JSON.stringify(Object.entries(found).sort()) === JSON.stringify(Object.entries(expected).sort())
    })
  })
}

function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
