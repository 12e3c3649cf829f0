// Makes sure that the rehearsal of a rolling update has an nginx. It starts its own, on a free port.
import { ensureInstalled } from './apt-install.js'
import { findNginx } from './find-nginx.js'

ensureInstalled({
  name: 'nginx',
  find: findNginx,
  debianPackages: ['nginx-light'],
  howTo: [
    'The tests rehearse a rolling update behind a real nginx, and none was found. Version 1.22 or newer is needed.',
    'Install one:',
    '  Debian, Ubuntu   sudo apt-get install --no-install-recommends nginx-light',
    '  Fedora           sudo dnf install nginx-core',
    '  macOS            brew install nginx',
    'or point NGINX_PATH at the executable of one that you have, and run this again.',
  ],
})
