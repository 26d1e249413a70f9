import time, torch, json
from autoglm_phone.models.text.config import DecoderConfig
from autoglm_phone.models.text.glm4 import Glm4Decoder
from autoglm_phone.models.text.kv_cache import KvCache
import dataclasses
print(torch.__version__, torch.cuda.get_device_name())
import inspect
c = DecoderConfig(**json.load(open('.gpu/nine.json')))
with torch.device('meta'): m = Glm4Decoder(c).eval()
m = m.to(torch.bfloat16).to_empty(device='cuda')
torch.manual_seed(0)
with torch.inference_mode():
    for n,p in m.named_parameters():
        if 'norm' in n: p.fill_(1)
        else: p.normal_(0,0.02)
    print('weights GiB', torch.cuda.memory_allocated()/2**30)
    for T in (512,3600):
        cache=KvCache(c,4096,dtype=torch.bfloat16,device='cuda')
        e=m.embed(torch.randint(0,c.vocab_size,(T,),device='cuda')); pos=torch.arange(T,device='cuda').expand(3,T)
        for r in range(3):
            cache.rewind(0); torch.cuda.synchronize(); t=time.perf_counter(); h=m(e,pos,cache); torch.cuda.synchronize(); print('prefill',T,round((time.perf_counter()-t)*1e3,1),'ms', bool(torch.isfinite(h).all()))
        x=m.embed(torch.tensor([5],device='cuda'))
        for r in range(5): m.head(m(x,torch.full((3,1),T+r,device='cuda'),cache)).argmax()
        torch.cuda.synchronize(); t=time.perf_counter()
        for r in range(40): tok=m.head(m(m.embed(torch.tensor([5],device='cuda')),torch.full((3,1),T+5+r,device='cuda'),cache)).argmax().item()
        print('decode behind',T, round(40/(time.perf_counter()-t),1),'tok/s')
print('peak GiB', torch.cuda.max_memory_allocated()/2**30)
del m, cache, h, x, e
import gc; gc.collect(); torch.cuda.empty_cache()
import numpy as np
from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.models.vision.vit import VisionTransformer
from autoglm_phone.models.vision.grid import PixelBudget, fit
from autoglm_phone.models.vision.preprocess import to_patches
vc=VisionConfig()
with torch.device('meta'): v=VisionTransformer(vc).eval()
v=v.to(torch.bfloat16).to_empty(device='cuda')
with torch.inference_mode():
    for n,p in v.named_parameters(): p.normal_(0,0.02)
    px=np.random.default_rng(0).integers(0,256,(2400,1080,3),np.uint8)
    g=fit(1080,2400,PixelBudget(),merge=vc.merge,patch_side=vc.patch_side)
    for r in range(4):
        t=time.perf_counter(); pt=torch.from_numpy(to_patches(px,g,vc)); a=time.perf_counter(); o=v(pt.to('cuda',torch.bfloat16),g); torch.cuda.synchronize(); print('vit',g.num_tokens,'patches',round((a-t)*1e3,1),'ms net',round((time.perf_counter()-a)*1e3,1),'ms',o.shape,bool(torch.isfinite(o).all()))
