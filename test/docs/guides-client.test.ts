import t from 'tap'
import { clientGuide, clientGuidePage, clientGuideParts } from '../helpers/client-guide.js'
import { blocksOf, Guide } from '../helpers/guide.js'
import { readDocument } from '../helpers/markdown.js'

t.test('the client guide runs as pasted, and prints what it says', async t => {
  await Guide.follow(t, clientGuidePage, { ...clientGuide, chapters: clientGuideParts.messages })
})

t.test('no chapter with something to run is left out', async t => {
  const chapters = new Set(blocksOf(readDocument(clientGuidePage)).map(({ heading }) => heading))
  t.strictSame([...chapters].sort(), [...new Set(Object.values(clientGuideParts).flat())].sort())
})
