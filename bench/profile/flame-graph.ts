import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * A page that shows the profile as a flame graph when it is opened from disk: speedscope with all that it needs.
 * @param name what the page calls the profile
 */
export function flameGraph (name: string, profile: string): string {
  const release = join(dirname(createRequire(import.meta.url).resolve('speedscope/package.json')), 'dist/release')
  const read = (pattern: RegExp): Buffer => {
    const file = readdirSync(release).find(name => pattern.test(name))
    if (file === undefined) throw new Error(`speedscope has no ${pattern}: its release is built otherwise, so flame-graph.ts must follow`)
    return readFileSync(join(release, file))
  }
  const font = read(/^SourceCodePro.*\.woff2$/).toString('base64')
  const style = read(/^speedscope-.*\.css$/).toString()
    .replace(/url\("[^"]*\.woff2"\)/, () => `url("data:font/woff2;base64,${font}")`)
    .replace(/\/\*# sourceMappingURL=.*/, '')
  const icon = read(/^favicon-32x32-.*\.png$/).toString('base64')
  const program = read(/^speedscope-.*\.js$/).toString().replace(/\/\/# sourceMappingURL=.*/, '')
  const call = `speedscope.loadFileFromBase64(${JSON.stringify(name)}, ${JSON.stringify(Buffer.from(profile).toString('base64'))})`
  // It lets a page hand it a profile only where the address names a script that does. Ours is in the page, so the one
  // that it loads has nothing to do.
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeText(name)}</title>
<link rel="icon" type="image/png" href="data:image/png;base64,${icon}">
<style>${style}</style>
</head>
<body>
<script>location.hash = 'localProfilePath=dev/null&view=left-heavy'</script>
<script>${inScript(program)}</script>
<script>${inScript(call)}</script>
</body>
</html>
`
}

/** The end of a script must not be found inside it. */
function inScript (code: string): string {
  return code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
}

function escapeText (text: string): string {
  return text.replace(/[&<]/g, char => char === '&' ? '&amp;' : '&lt;')
}
