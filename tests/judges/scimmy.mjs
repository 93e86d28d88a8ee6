// A SCIM server of scimmy-routers that keeps its resources in memory. Prints its port.
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

let last = 0;

function keep(type, name) {
    const kept = new Map();
    SCIMMY.Resources.declare(type)
        .ingress((resource, instance) => {
            const value = JSON.parse(JSON.stringify(instance));
            for (const [id, other] of kept) {
                if (id !== resource.id && other[name].toLowerCase() === value[name].toLowerCase()) {
                    throw new SCIMMY.Types.Error(409, "uniqueness", `${name} is taken`);
                }
            }
            if (resource.id && !kept.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `no ${resource.id}`);
            const id = resource.id ?? `s${++last}`;
            kept.set(id, { ...value, id });
            return kept.get(id);
        })
        .egress((resource) => {
            if (!resource.id) return [...kept.values()];
            if (!kept.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `no ${resource.id}`);
            return kept.get(resource.id);
        })
        .degress((resource) => {
            if (!kept.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, `no ${resource.id}`);
        });
}

keep(SCIMMY.Resources.User, "userName");
keep(SCIMMY.Resources.Group, "displayName");
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser);

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== "Bearer t0ken") throw new Error("not authorised");
        return "push";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
