// Makes sure that the browser test has a browser.
import { ensureInstalled } from './apt-install.js'
import { findChromium } from './find-chromium.js'

ensureInstalled({
  name: 'Chromium',
  find: findChromium,
  debianPackages: ['chromium'],
  howTo: [
    'The browser test (test/browser/) drives the demo page in Chromium, and none was found.',
    'Install one:',
    '  Debian, Ubuntu   sudo apt-get install --no-install-recommends chromium   (Ubuntu: chromium-browser)',
    '  Fedora           sudo dnf install chromium',
    '  macOS            brew install --cask chromium',
    'or point CHROMIUM_PATH at the executable of a Chromium or Chrome that you have, and run this again.',
  ],
})
