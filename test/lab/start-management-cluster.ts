// A program to be killed: makes the management cluster whose settings are its first argument, and says so.
import { ensureManagementCluster, type ManagementClusterSettings } from './management-cluster.ts';

await ensureManagementCluster(JSON.parse(process.argv[2] ?? '') as ManagementClusterSettings);
process.stdout.write('ready\n');
