import type { TextFile } from '../../../core/node-config/hosts-toml.ts';

/**
 * The playbook that puts things onto the nodes before Kubespray runs, when there are any.
 * @param nodes below `nodes/`, as they lie on a node
 * @param templates below `templates/`, with `.j2` at the end: Ansible puts the password of the registry into them
 */
export function prepareNodes(nodes: readonly TextFile[], templates: readonly TextFile[]): TextFile[] {
  const tasks = [...(nodes.length === 0 ? [] : [COPY]), ...(templates.length === 0 ? [] : [templateTasks(templates)])];
  return tasks.length === 0 ? [] : [{ path: 'prepare-nodes.yml', content: `${PLAY}${tasks.join('')}` }];
}

const PLAY = `# Puts what lies beside it onto every node; run it before cluster.yml.
- name: Files that the nodes need before Kubespray runs
  hosts: all
  become: true
  gather_facts: false
  tasks:
`;

const COPY = `    - name: Copy them to where they belong
      ansible.builtin.copy:
        src: nodes/
        dest: /
        owner: root
        group: root
        mode: "0644"
`;

function templateTasks(templates: readonly TextFile[]): string {
  const paths = templates.map(({ path }) => path.replace(/^templates\//, '').replace(/[.]j2$/, '')).sort();
  const loop = ['      loop:', ...paths.map((path) => `        - ${JSON.stringify(path)}`), ''].join('\n');
  // without diff, which would show the password
  return `    - name: Make their folders
      ansible.builtin.file:
        path: "/{{ item | dirname }}"
        state: directory
        owner: root
        group: root
        mode: "0755"
${loop}    - name: Write those that hold the password of the registry
      ansible.builtin.template:
        src: "templates/{{ item }}.j2"
        dest: "/{{ item }}"
        owner: root
        group: root
        mode: "0600"
      diff: false
${loop}`;
}
