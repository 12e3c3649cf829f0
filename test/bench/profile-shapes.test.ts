import t from 'tap'
import { profileRun } from './profile-run.js'

// That each load works, not how fast anything is. `pair` is in profile.test.ts.

for (const [shape, file, method] of [
  ['checked', 'lib/hooks/hooks-client.ts', 'checkMessage'],
  ['group', 'lib/routing/router.ts', 'toGroup'],
  ['connect', 'lib/session/handshakes.ts', 'run'],
]) {
  t.test(`the profile of the shape ${shape} names ${method} and where it is`, async t => {
    await profileRun(t, shape, file, method)
  })
}
