package main

import (
	"fmt"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// dhcp gives every machine that is powered on an address, as a guest with VMware Tools would report it: the simulator's machines
// have none, and Cluster API's provider waits for one. They are of 198.18.0.0/15, which is for tests (RFC 2544).
type dhcp struct {
	lock  sync.Mutex
	given int
}

// Reference is what the simulator tells its listeners apart by.
func (d *dhcp) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "SealiftAddresses", Value: "dhcp"}
}

func (d *dhcp) PutObject(*simulator.Context, mo.Reference) {}

func (d *dhcp) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

func (d *dhcp) UpdateObject(ctx *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	machine, isMachine := object.(*mo.VirtualMachine)
	if !isMachine || !powersOn(changes) || len(machine.Guest.Net) == 0 {
		return
	}
	network := append([]types.GuestNicInfo(nil), machine.Guest.Net...)
	for index := range network {
		network[index].IpAddress = []string{d.next()}
	}
	address := network[0].IpAddress[0]
	ctx.Update(ctx.Map.Get(machine.Self), []types.PropertyChange{
		{Name: "guest.ipAddress", Val: address},
		{Name: "summary.guest.ipAddress", Val: address},
		{Name: "guest.net", Val: network},
	})
}

func (d *dhcp) next() string {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.given++
	return fmt.Sprintf("198.18.%d.%d", d.given/254, 1+d.given%254)
}

func powersOn(changes []types.PropertyChange) bool {
	for _, change := range changes {
		if change.Name == "runtime.powerState" && change.Val == types.VirtualMachinePowerStatePoweredOn {
			return true
		}
	}
	return false
}
